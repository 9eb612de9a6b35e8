//! The files of the page, which are part of the binary.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};

use super::base_path::BasePath;
use crate::routing::error::Error;

/// Name and content of each file, sorted by name.
pub(crate) const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// Name of the document of all views.
const INDEX: &str = "index.html";

/// First segments of the addresses of views.
const VIEWS: [&str; 6] = ["", "audit", "files", "jobs", "pipelines", "workers"];

/// `ETag` of each file, in the order of [`FILES`].
static TAGS: LazyLock<Vec<String>> =
    LazyLock::new(|| FILES.iter().map(|(_, content)| tag(content)).collect());

fn tag(content: &[u8]) -> String {
    format!("\"{}\"", &blake3::hash(content).to_hex()[..16])
}

/// The page below a base path.
#[derive(Clone, Debug)]
pub(crate) struct Assets {
    base: Arc<str>,
    /// The document, whose links begin with the base path.
    index: Arc<[u8]>,
}

impl Assets {
    pub(crate) fn below(base: &BasePath) -> Self {
        let base = base.as_str();
        let plain = FILES.binary_search_by_key(&INDEX, |(name, _)| name);
        let plain = plain.map_or(&b""[..], |at| FILES[at].1);
        let index = String::from_utf8_lossy(plain)
            .replace("=\"/", &format!("=\"{base}/"))
            .replace("data-base=\"\"", &format!("data-base=\"{base}\""));
        Self {
            base: base.into(),
            index: index.into_bytes().into(),
        }
    }

    /// Serves a file below `/page/` or a view of the page; a browser gets the page for every other path, too, with the
    /// status 404.
    pub(crate) fn serve(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Error::invalid("the page supports GET only")
                .with_status(StatusCode::METHOD_NOT_ALLOWED)
                .into_response();
        }
        let path = uri.path();
        // A router removes the base path, except before a single slash.
        let path = path.strip_prefix(&*self.base).unwrap_or(path);
        let path = path.trim_start_matches('/');
        let first = path.split('/').next().unwrap_or_default();
        let accepted = headers
            .get(ACCEPT)
            .and_then(|accepted| accepted.to_str().ok());
        match path {
            "favicon.ico" => {
                Redirect::permanent(&format!("{}/page/icon.svg", self.base)).into_response()
            }
            "metrics" => Error::not_found(
                "metrics are at the address of `drover serve --listen`, not at that of the page",
            )
            .into_response(),
            _ if first == "page" => {
                self.file(path.strip_prefix("page/").unwrap_or_default(), headers)
            }
            _ if VIEWS.contains(&first) => self.file(INDEX, headers),
            _ if accepted.is_some_and(|accepted| accepted.contains("text/html")) => {
                (StatusCode::NOT_FOUND, self.file(INDEX, &HeaderMap::new())).into_response()
            }
            _ => Error::not_found("the page has no such view; the API is below /api/v1")
                .into_response(),
        }
    }

    fn file(&self, name: &str, headers: &HeaderMap) -> Response {
        let Ok(at) = FILES.binary_search_by_key(&name, |(name, _)| name) else {
            return Error::not_found("the page has no such file").into_response();
        };
        let (name, content) = FILES[at];
        if name == INDEX {
            return answer(
                name,
                Cow::Owned(self.index.to_vec()),
                &tag(&self.index),
                headers,
            );
        }
        answer(name, Cow::Borrowed(content), &TAGS[at], headers)
    }
}

fn answer(name: &str, content: Cow<'static, [u8]>, tag: &str, headers: &HeaderMap) -> Response {
    let about = [
        (ETAG, tag.to_owned()),
        (CACHE_CONTROL, "no-cache".to_owned()),
    ];
    // A compressing proxy makes the tag weak.
    let is_known = |known: &axum::http::HeaderValue| {
        known
            .to_str()
            .is_ok_and(|known| known.trim_start_matches("W/") == tag)
    };
    if headers.get(IF_NONE_MATCH).is_some_and(is_known) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    (about, [(CONTENT_TYPE, kind(name))], content).into_response()
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}
