//! Compression of answers.

use axum::body::{Body, to_bytes};
use axum::http::Method;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};

use super::{Site, request};

/// Coding and body of the answer to a client that accepts `accepted`.
async fn answer(site: &Site, path: &str, accepted: &str) -> (Option<String>, usize) {
    let request = request(Method::GET, path).header(ACCEPT_ENCODING, accepted);
    let answer = site.ask(request.body(Body::empty()).unwrap()).await;
    let coding = answer.headers().get(CONTENT_ENCODING);
    let coding = coding.map(|coding| coding.to_str().unwrap().to_owned());
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (coding, body.len())
}

#[tokio::test]
async fn large_answers_are_compressed_for_clients_that_accept_gzip() {
    let site = Site::new();
    for path in ["/api/v1/openapi.json", "/page/style.css"] {
        let (coding, plain) = answer(&site, path, "identity").await;
        assert_eq!(coding, None, "{path}");
        let (coding, compressed) = answer(&site, path, "gzip, deflate, br").await;
        assert_eq!(coding.as_deref(), Some("gzip"), "{path}");
        assert!(compressed * 2 < plain, "{path}: {plain} to {compressed}");
    }
    let (coding, _) = answer(&site, "/api/v1/session", "gzip").await;
    assert_eq!(coding, None, "a small answer");
}

#[tokio::test]
async fn an_event_stream_is_never_held_back_by_compression() {
    let site = Site::new();
    let request = request(Method::GET, "/api/v1/events").header(ACCEPT_ENCODING, "gzip");
    let answer = site.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.headers()[CONTENT_TYPE], "text/event-stream");
    assert!(!answer.headers().contains_key(CONTENT_ENCODING));
}
