//! A recorded request.

use std::fmt;

use http::request::Parts;
use serde_json::Value;

/// A request with its path split into parts.
#[derive(Clone, Debug)]
pub(crate) struct RecordedRequest {
    pub(crate) method: String,
    /// The path of the collection, for example `/apis/apps/v1/namespaces/farm/deployments`.
    pub(crate) collection: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) content_type: String,
    pub(crate) body: Value,
}

impl RecordedRequest {
    pub(super) fn of(head: &Parts, body: &[u8]) -> Self {
        let path: Vec<&str> = head.uri.path().trim_start_matches('/').split('/').collect();
        // /api/VERSION/… or /apis/GROUP/VERSION/…, optionally namespaces/NAMESPACE, then kind, name, subresource.
        let versioned = if path[0] == "api" { 2 } else { 3 };
        let namespaced = path.get(versioned) == Some(&"namespaces") && path.len() > versioned + 2;
        let kind = if namespaced { versioned + 2 } else { versioned };
        let query = head.uri.query().unwrap_or_default();
        let query = query.split('&').filter_map(|pair| pair.split_once('='));
        let owned = |text: &&str| (*text).to_owned();
        Self {
            method: head.method.to_string(),
            collection: format!("/{}", path[..=kind].join("/")),
            name: path.get(kind + 1).map(owned),
            subresource: path.get(kind + 2).map(owned),
            query: query
                .map(|(key, value)| (key.to_owned(), unescaped(value)))
                .collect(),
            content_type: head
                .headers
                .get("content-type")
                .map_or("", |value| value.to_str().unwrap())
                .to_owned(),
            body: serde_json::from_slice(body).unwrap_or_default(),
        }
    }

    /// The plural kind of the object.
    pub(crate) fn kind(&self) -> &str {
        self.collection.rsplit('/').next().unwrap_or_default()
    }

    pub(super) fn is_scale(&self) -> bool {
        self.subresource.as_deref() == Some("scale")
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let pair = self.query.iter().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.as_str())
    }
}

fn unescaped(text: &str) -> String {
    text.replace("%3D", "=")
        .replace("%2C", ",")
        .replace("%2F", "/")
}

impl fmt::Display for RecordedRequest {
    /// For example `apply deployments/drover-thumbs` or `apply pipelines/thumbs/status`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match (self.method.as_str(), self.content_type.as_str()) {
            ("GET", _) if self.name.is_none() => "list",
            ("GET", _) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "replace",
            ("DELETE", _) => "delete",
            ("PATCH", "application/apply-patch+yaml") => "apply",
            ("PATCH", "application/merge-patch+json") => "merge",
            ("PATCH", "application/json-patch+json") => "patch",
            (other, _) => other,
        };
        write!(out, "{verb} {}", self.kind())?;
        for part in [&self.name, &self.subresource].into_iter().flatten() {
            write!(out, "/{part}")?;
        }
        Ok(())
    }
}
