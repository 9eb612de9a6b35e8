//! Requests that no friend would send.

use std::net::Ipv4Addr;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use drover_shared::id::JobId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::{Access, Server};
use super::{Site, assert_error, request, told};

#[tokio::test]
async fn ids_and_names_that_are_none_are_refused_before_anything_is_touched() {
    let site = Site::new();
    let unknown = JobId::generate();
    let rows = [
        ("/api/v1/jobs/..".to_owned(), 400),
        ("/api/v1/jobs/%2e%2e".to_owned(), 400),
        (
            "/api/v1/jobs/%2e%2e%2f%2e%2e%2fetc%2fpasswd".to_owned(),
            400,
        ),
        ("/api/v1/jobs/..%2f..%2f".to_owned(), 400),
        ("/api/v1/jobs/%00".to_owned(), 400),
        ("/api/v1/jobs/%ff%fe".to_owned(), 400),
        ("/api/v1/jobs/last".to_owned(), 400),
        ("/api/v1/jobs/../pipelines".to_owned(), 404),
        (format!("/api/v1/jobs/{unknown}"), 404),
        (format!("/api/v1/jobs/{unknown}/datums"), 404),
        (format!("/api/v1/jobs/{unknown}/datums/0"), 404),
        (format!("/api/v1/jobs/{unknown}/datums/0/logs"), 404),
        (format!("/api/v1/jobs/{unknown}/datums/-1"), 400),
        (
            format!("/api/v1/jobs/{unknown}/datums/99999999999999999999"),
            400,
        ),
        (format!("/api/v1/jobs/{unknown}/datums/.."), 400),
        (format!("/api/v1/jobs/{unknown}/timeline"), 404),
        ("/api/v1/jobs?stat=failure".to_owned(), 400),
        ("/api/v1/jobs?limit=5&limt=6".to_owned(), 400),
        ("/api/v1/session?x".to_owned(), 400),
        (format!("/api/v1/jobs/{unknown}?datum=1"), 400),
        ("/api/v1/jobs?limit=0".to_owned(), 400),
        ("/api/v1/jobs?limit=501".to_owned(), 400),
        ("/api/v1/jobs?limit=many".to_owned(), 400),
        ("/api/v1/jobs?state=done".to_owned(), 400),
        ("/api/v1/jobs?pipeline=..%2f..".to_owned(), 400),
        ("/api/v1/jobs?before=..".to_owned(), 400),
        ("/api/v1/pipelines/..".to_owned(), 400),
        ("/api/v1/pipelines/%2e%2e".to_owned(), 400),
        ("/api/v1/pipelines/a%2fb".to_owned(), 400),
        ("/api/v1/pipelines/nowhere".to_owned(), 404),
        ("/api/v1/".to_owned(), 404),
        ("/api/v2/jobs".to_owned(), 404),
        ("/page/%2e%2e/mod.rs".to_owned(), 404),
        ("/page/".to_owned(), 404),
    ];
    for (path, expected) in rows {
        let kind = if expected == 400 {
            "invalid"
        } else {
            "not_found"
        };
        assert_error(&path, &site.get(&path).await, expected, kind);
    }
    let parameters = [
        "group=..",
        "worker=a/b",
        "state=good",
        "after=-1",
        "limit=1001",
    ];
    let id = site.ended_job().await;
    for parameter in parameters {
        let path = format!("/api/v1/jobs/{id}/datums?{parameter}");
        assert_error(&path, &site.get(&path).await, 400, "invalid");
    }
    let path = format!("/api/v1/jobs/{id}/datums/10");
    assert_error(&path, &site.get(&path).await, 404, "not_found");
}

#[tokio::test]
async fn bodies_are_bounded_and_nonsense_in_them_is_told() {
    let site = Site::new();
    let id = site.ended_job().await;
    let huge = vec![b' '; 1024 * 1024 + 1];
    for path in [
        "/api/v1/pipelines".to_owned(),
        format!("/api/v1/jobs/{id}/stop"),
    ] {
        let answer = site.exchange(Method::POST, &path, huge.clone()).await;
        assert_error(&path, &answer, 413, "too_large");
    }
    let announced =
        request(Method::POST, "/api/v1/pipelines").header("content-length", "1000000000000");
    let answer = told(site.ask(announced.body(Body::empty()).unwrap()).await).await;
    assert_error("announced", &answer, 413, "too_large");
    let retry = format!("/api/v1/jobs/{id}/retry");
    let rows: [(&str, &[u8], u16); 5] = [
        ("/api/v1/pipelines", b"", 422),
        ("/api/v1/pipelines", b"\xff\xfe", 422),
        ("/api/v1/pipelines", b"[[[[[[[[", 422),
        (&retry, b"[]", 400),
        (&retry, b"{\"group\": 7}", 400),
    ];
    for (path, body, expected) in rows {
        let answer = site.exchange(Method::POST, path, body).await;
        assert_error(path, &answer, expected, "invalid");
    }
    let odd = axum::http::Request::post("/api/v1/pipelines")
        .header("host", "localhost")
        .header("content-type", "text/plain");
    let answer = told(site.ask(odd.body(Body::from("{}")).unwrap()).await).await;
    assert_error("text/plain", &answer, 400, "invalid");
}

#[tokio::test]
async fn a_method_that_means_nothing_is_refused() {
    let site = Site::new();
    for (method, path) in [
        (Method::DELETE, "/api/v1/jobs"),
        (Method::POST, "/api/v1/events"),
        (Method::PATCH, "/api/v1/pipelines/made"),
        (Method::POST, "/"),
        (Method::TRACE, "/api/v1/session"),
    ] {
        let answer = site.exchange(method, path, "").await;
        assert_error(path, &answer, 405, "invalid");
    }
}

#[tokio::test]
async fn silent_clients_do_not_keep_out_one_with_a_token() {
    let token = "secret".parse().unwrap();
    let access = Access::new(Some(token), None).unwrap();
    let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), access)
        .await
        .unwrap();
    let address = server.address().unwrap();
    let site = Site::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "the task ends with the test's runtime"
    )]
    let serving = tokio::spawn(server.serve(site.api.clone()));
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let asking = async {
        let mut client = TcpStream::connect(address).await.unwrap();
        let head =
            b"GET /api/v1/session HTTP/1.1\r\nhost: x\r\nauthorization: Bearer secret\r\n\r\n";
        client.write_all(head).await.unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.unwrap();
        answer
    };
    // Less than a silent client may wait with its head.
    let answer = timeout(Duration::from_secs(8), asking).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    serving.abort();
}
