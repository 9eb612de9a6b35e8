//! Whatever is put into the parameters and bodies of the document: an answer of the contract, and never a failure of ours.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use drover_shared::testing::fuzz;
use proptest::prelude::{Strategy, any};
use proptest::sample::{Index, select};
use proptest::{prop_assert, prop_oneof};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{Site, spec, told};
use crate::server::listen::converse;
use crate::server::routes::routes;

/// Values that are odd somewhere.
fn odd() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        "[0-9]{1,25}",
        "[0-7][0-9a-hjkmnp-tv-z]{25}",
        "[0-9a-f]{16}",
        select(vec![
            "..",
            ".",
            "",
            "made",
            "running",
            "success,failed",
            "-1",
            "1e9",
            "null",
            "%00",
            "../../x",
            "a/b"
        ])
        .prop_map(str::to_owned),
    ]
}

/// A body, sensible or not.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        "\\PC{0,200}".prop_map(String::into_bytes),
        select(vec![
            spec("made", "in"),
            spec("other", "made"),
            spec("made", "made"),
            Value::Null
        ])
        .prop_map(|spec| spec.to_string().into_bytes()),
        odd().prop_map(|group| serde_json::json!({ "group": group })
            .to_string()
            .into_bytes()),
    ]
}

fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b',' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02x}"),
    };
    text.bytes().map(encode).collect()
}

/// The operations of the document: method, path, parameters.
fn operations() -> Vec<(Method, String, Vec<Value>)> {
    let (_, document) = routes();
    let paths = document["paths"].as_object().unwrap().clone();
    let all = paths.into_iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap().clone();
        operations.into_iter().map(move |(method, operation)| {
            let parameters = operation["parameters"].as_array().unwrap().clone();
            (
                method.to_ascii_uppercase().parse().unwrap(),
                path.clone(),
                parameters,
            )
        })
    });
    // A stream has no end, and a job that is wanted is waited for.
    all.filter(|(_, path, _)| !path.ends_with("/events") && !path.ends_with("/run"))
        .collect()
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(400))]
    #[test]
    fn nothing_that_is_sent_makes_it_fail(
        which in any::<Index>(),
        values in proptest::collection::vec(odd(), 12),
        real in proptest::collection::vec(any::<bool>(), 12),
        kind in select(vec!["application/json", "application/yaml", "text/plain", ""]),
        body in bodies(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let operations = operations();
        let (method, path, parameters) = which.get(&operations);
        let (what, status, answer) = runtime.block_on(async {
            let site = Site::new();
            let job = site.ended_job().await.to_string();
            let (mut path, mut query) = (path.clone(), Vec::new());
            for ((parameter, value), is_real) in parameters.iter().zip(&values).zip(&real) {
                let name = parameter["name"].as_str().unwrap();
                let value = match name {
                    "id" | "before" if *is_real => &job,
                    "index" if *is_real => "3",
                    "name" | "pipeline" if *is_real => "made",
                    _ => value.as_str(),
                };
                match parameter["in"].as_str() {
                    Some("path") => path = path.replace(&format!("{{{name}}}"), &encoded(value)),
                    _ => query.push(format!("{name}={}", encoded(value))),
                }
            }
            let uri = format!("{path}?{}", query.join("&"));
            let request = Request::builder().method(method.clone()).uri(&uri).header("host", "localhost").header("content-type", kind);
            let (status, answer) = told(site.ask(request.body(Body::from(body)).unwrap()).await).await;
            (format!("{method} {uri}"), status, answer)
        });
        prop_assert!(!status.is_server_error(), "{what}: {status} {answer}");
        if !status.is_success() {
            prop_assert!(answer["error"]["kind"].is_string() && answer["error"]["message"].is_string(), "{what}: {status} {answer}");
        }
    }
}

/// Requests as they arrive on a connection, with all kinds of parameters.
fn requests(job: &str) -> Vec<Vec<u8>> {
    let paths = [
        format!("/api/v1/jobs?pipeline=made&state=success,failure&before={job}&limit=5"),
        format!(
            "/api/v1/jobs/{job}/datums?state=failed&group=0011223344556677&worker=w&after=3&limit=7"
        ),
        format!("/api/v1/jobs/{job}/datums/3/logs?attempt=2&offset=9&limit=8"),
        format!("/api/v1/jobs/{job}/timeline?buckets=20"),
        "/api/v1/pipelines/made%2f?x=%c3%a9#fragment".to_owned(),
        "/page/main.js".to_owned(),
    ];
    let heads = paths
        .iter()
        .map(|path| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"));
    let chunked = "POST /api/v1/pipelines HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    heads
        .chain([chunked.to_owned()])
        .map(String::into_bytes)
        .collect()
}

#[test]
fn whatever_arrives_on_a_connection_is_answered_and_is_no_failure_of_ours() {
    // The clock jumps while nothing else is to be done, so time limits cost nothing.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let (site, job) = runtime.block_on(async {
        let site = Site::new();
        let job = site.ended_job().await.to_string();
        (site, job)
    });
    fuzz(&requests(&job), move |input| {
        runtime.block_on(async {
            let (mut client, server) = tokio::io::duplex(1 << 20);
            client.write_all(input).await.unwrap();
            let mut answer = Vec::new();
            let talking = async {
                let _ = converse(server, site.router.clone()).await;
                client.read_to_end(&mut answer).await.unwrap();
            };
            timeout(Duration::from_mins(10), talking).await.unwrap();
            let text = String::from_utf8_lossy(&answer);
            // A body that never ends is cut off by the time limit of its request, with 503.
            assert!(!text.starts_with("HTTP/1.1 500"), "{text}");
        });
    });
}
