//! Access control, and the headers of every answer.

use axum::body::Body;
use axum::http::{Method, StatusCode};

use super::super::{Access, Token};
use super::{Site, assert_error, request, told};

fn guarded() -> Site {
    let token = |text: &str| text.parse::<Token>().ok();
    Site::with(Access::new(token("all-of-it"), token("look-only")).unwrap())
}

#[tokio::test]
async fn a_token_opens_what_its_role_may_do() {
    let site = guarded();
    let none = None;
    let rows = [
        (Method::GET, "/api/v1/jobs", none, 401),
        (Method::GET, "/api/v1/jobs", Some("Bearer wrong"), 401),
        (Method::GET, "/api/v1/jobs", Some("Basic all-of-it"), 401),
        (Method::GET, "/api/v1/jobs", Some("Bearer "), 401),
        (Method::GET, "/api/v1/jobs", Some("all-of-it"), 401),
        (Method::GET, "/api/v1/jobs", Some("Bearer look-only"), 200),
        (Method::GET, "/api/v1/jobs", Some("bearer all-of-it"), 200),
        (
            Method::POST,
            "/api/v1/pipelines/made/pause",
            Some("Bearer look-only"),
            403,
        ),
        (
            Method::DELETE,
            "/api/v1/pipelines/made",
            Some("Bearer look-only"),
            403,
        ),
        (
            Method::PUT,
            "/api/v1/pipelines/made",
            Some("Bearer look-only"),
            403,
        ),
        (Method::DELETE, "/api/v1/pipelines/made", none, 401),
        (
            Method::DELETE,
            "/api/v1/pipelines/made",
            Some("Bearer all-of-it"),
            404,
        ),
        (Method::GET, "/api/v1/events", none, 401),
        (Method::GET, "/api/v1/nowhere", none, 401),
        (Method::GET, "/api/v1/openapi.json", none, 200),
        (Method::GET, "/", none, 200),
        (Method::GET, "/page/index.html", none, 200),
    ];
    for (method, path, authorization, expected) in rows {
        let what = format!("{method} {path} {authorization:?}");
        let mut request = request(method, path);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let answer = site.ask(request.body(Body::empty()).unwrap()).await;
        let asks = answer.headers().get("www-authenticate").is_some();
        assert_eq!(asks, expected == 401, "{what}");
        let answer = told(answer).await;
        assert_eq!(answer.0.as_u16(), expected, "{what}: {}", answer.1);
        match expected {
            401 => assert_error(&what, &answer, 401, "unauthorized"),
            403 => assert_error(&what, &answer, 403, "forbidden"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn with_a_token_any_name_will_do() {
    let site = guarded();
    let request = axum::http::Request::get("/api/v1/jobs")
        .header("host", "drover.example")
        .header("origin", "https://drover.example")
        .header("authorization", "Bearer look-only");
    let answer = site.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn without_tokens_other_names_and_other_pages_are_refused() {
    let site = Site::new();
    let rows = [
        (Some("127.0.0.1:7600"), None, true),
        (Some("[::1]:7600"), Some("http://[::1]:7600"), true),
        (Some("localhost:7600"), Some("http://localhost:7600"), true),
        (Some("localhost:7600"), Some("http://localhost:3000"), false),
        (Some("localhost:7600"), Some("https://evil.example"), false),
        (Some("localhost:7600"), Some("null"), false),
        (Some("evil.example:7600"), None, false),
        (None, None, false),
    ];
    for (host, origin, expected) in rows {
        let mut request = axum::http::Request::post("/api/v1/pipelines/made/pause");
        for (name, value) in [("host", host), ("origin", origin)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let answer = told(site.ask(request.body(Body::empty()).unwrap()).await).await;
        let what = format!("{host:?} {origin:?}");
        if expected {
            assert_error(&what, &answer, 404, "not_found");
        } else {
            assert_error(&what, &answer, 403, "forbidden");
        }
    }
}

#[tokio::test]
async fn browsers_are_told_to_be_careful_with_every_answer() {
    let site = Site::new();
    for path in [
        "/",
        "/api/v1/session",
        "/api/v1/jobs/nonsense",
        "/api/none",
        "/page/none",
    ] {
        let request = request(Method::GET, path).body(Body::empty()).unwrap();
        let answer = site.ask(request).await;
        let header = |name: &str| {
            answer
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap())
        };
        assert_eq!(header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(header("referrer-policy"), Some("no-referrer"), "{path}");
        let policy = header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'self'") && !policy.contains("unsafe"),
            "{policy}"
        );
        if path.starts_with("/api") {
            assert_eq!(header("cache-control"), Some("no-store"), "{path}");
        }
    }
}

#[tokio::test]
async fn a_file_of_the_page_that_did_not_change_is_not_sent_again() {
    let site = Site::new();
    let first = site
        .ask(request(Method::GET, "/").body(Body::empty()).unwrap())
        .await;
    let tag = first.headers()["etag"].clone();
    let again = request(Method::GET, "/").header("if-none-match", tag);
    let (status, body) = told(site.ask(again.body(Body::empty()).unwrap()).await).await;
    assert_eq!((status, body.is_null()), (StatusCode::NOT_MODIFIED, true));
}
