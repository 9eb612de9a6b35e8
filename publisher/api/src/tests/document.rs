//! The `OpenAPI` document says what is so.

use axum::http::Method;
use drover_shared::ledger::PipelineChange;
use serde_json::Value;

use super::schema::differences;
use super::{Site, spec};
use crate::server::routes::routes;

/// A path of the document with real things in place of its parameters.
fn filled(path: &str, job: &str) -> String {
    let query = match path.rsplit('/').next() {
        Some("content") => "?path=/in/a.png",
        Some("output") => "?path=/all",
        _ => "",
    };
    let index = if query == "?path=/all" { "0" } else { "3" };
    let path = path.replace("{id}", job).replace("{name}", "made");
    path.replace("{index}", index) + query
}

/// A request that lets a route do its work.
fn body(method: &str, path: &str) -> String {
    match (method, path) {
        ("post", "/api/v1/pipelines" | "/api/v1/validate") => spec("new", "in").to_string(),
        ("put", "/api/v1/pipelines/{name}/sharing") => r#"{"share": 4}"#.to_owned(),
        ("put", _) => spec("made", "other").to_string(),
        _ => String::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn every_route_answers_as_the_document_says() {
    let (_, document) = routes();
    let shared = &document["components"]["schemas"];
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if path == "/api/v1/events" {
                continue;
            }
            // Each route on a site of its own, because one route may end the job of another.
            let site = Site::new();
            let create = PipelineChange::Create(spec("made", "in"));
            site.ledger
                .change_pipeline(&"made".parse().unwrap(), &create)
                .await
                .unwrap();
            let job = if path.ends_with("/stop") {
                let (_, started) = site
                    .post(
                        &format!("/api/v1/jobs/{}/retry", site.ended_job().await),
                        &Value::Object(serde_json::Map::new()),
                    )
                    .await;
                started["job"].as_str().unwrap().to_owned()
            } else {
                site.ended_job().await.to_string()
            };
            site.some_files(job.parse().unwrap()).await;
            let verb: Method = method.to_ascii_uppercase().parse().unwrap();
            let (status, answer) = site
                .exchange(verb, &filled(path, &job), body(method, path))
                .await;
            let responses = operation["responses"].as_object().unwrap();
            let told = responses.get(status.as_str());
            let told = told.unwrap_or_else(|| {
                panic!("{method} {path}: {status} is not in the document: {answer}")
            });
            if let Some(json) = told["content"].get("application/json") {
                let schema = &json["schema"];
                let found = differences(&answer, schema, shared);
                assert_eq!(found, Vec::<String>::new(), "{method} {path}");
            }
            count += 1;
        }
    }
    assert_eq!(count, 33, "the routes of the contract");
}

#[tokio::test]
async fn errors_are_as_the_document_says() {
    let site = Site::new();
    let (_, document) = routes();
    let shared = &document["components"]["schemas"];
    let schema = &document["paths"]["/api/v1/jobs"]["get"]["responses"]["default"]["content"]["application/json"]
        ["schema"];
    let bad = serde_json::json!({"pipeline": {"name": "made"}});
    for (status, answer) in [
        site.get("/api/v1/jobs/x").await,
        site.get("/api/v1/nothing").await,
        site.post("/api/v1/pipelines", &bad).await,
    ] {
        assert!(status.is_client_error());
        assert_eq!(differences(&answer, schema, shared), Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_document_is_served_and_whole() {
    let site = Site::new();
    let served = site.sees("/api/v1/openapi.json").await;
    assert_eq!(served, routes().1);
    let text = served.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(
            served["components"]["schemas"][name].is_object(),
            "{name} is missing"
        );
    }
    for operation in served["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
    {
        assert!(
            operation["summary"]
                .as_str()
                .is_some_and(|about| about.ends_with('.') || about.contains(':')),
            "{operation}"
        );
    }
}
