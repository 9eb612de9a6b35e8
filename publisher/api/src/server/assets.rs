//! The files of the page, which are part of the binary.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::routing::error::Error;

/// Name and content of each file, sorted by name.
pub(crate) const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// `ETag` of each file, in the order of [`FILES`].
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let tag = |(_, content): &(_, &[u8])| format!("\"{}\"", &blake3::hash(content).to_hex()[..16]);
    FILES.iter().map(tag).collect()
});

/// Serves a file below `/page/`; every other path is a view of the page and gets `index.html`.
pub(crate) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if !matches!(method, Method::GET | Method::HEAD) {
        return Error::invalid("the page supports GET only")
            .with_status(StatusCode::METHOD_NOT_ALLOWED)
            .into_response();
    }
    let name = uri.path().strip_prefix("/page/").unwrap_or("index.html");
    match FILES.binary_search_by_key(&name, |(name, _)| name) {
        Ok(at) => file(at, &headers),
        Err(_) => Error::not_found("the page has no such file").into_response(),
    }
}

fn file(at: usize, headers: &HeaderMap) -> Response {
    let ((name, content), tag) = (FILES[at], TAGS[at].as_str());
    let about = [(ETAG, tag), (CACHE_CONTROL, "no-cache")];
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known == tag) {
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
