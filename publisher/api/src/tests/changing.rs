//! Jobs stopped and retried, pipelines made, changed and ended.

use axum::http::Method;
use drover_shared::id::JobId;
use drover_shared::job::JobRecord;
use drover_shared::ledger::{Scope, Submission};
use jiff::Timestamp;
use serde_json::json;

use super::{Site, assert_error, spec};

#[tokio::test]
async fn a_job_that_runs_is_stopped_and_one_that_has_ended_is_not() {
    let site = Site::new();
    let ended = site.ended_job().await;
    let refused = site
        .post(&format!("/api/v1/jobs/{ended}/stop"), &json!({}))
        .await;
    assert_error("stop", &refused, 409, "conflict");
    let record = JobRecord::new(JobId::generate(), "made".parse().unwrap(), Timestamp::now());
    let submission = Submission {
        scope: Scope::Everything,
        reprocess: false,
        keep_going: false,
        halt: None,
        after: Vec::new(),
        fingerprint: None,
        trace: None,
    };
    site.ledger
        .submit(&record, &spec("made", "in"), &submission)
        .await
        .unwrap();
    let job = site.sees(&format!("/api/v1/jobs/{}", record.id)).await;
    assert!(
        job["why"]
            .as_str()
            .unwrap()
            .contains("no process coordinates made"),
        "{job}"
    );
    let (status, told) = site
        .post(&format!("/api/v1/jobs/{}/stop", record.id), &json!({}))
        .await;
    assert_eq!((status.as_u16(), &told["job"]), (202, &json!(record.id)));
    assert!(site.ledger.stop_requested(record.id).await.unwrap());
    let job = site.sees(&format!("/api/v1/jobs/{}", record.id)).await;
    assert_eq!(job["stop_requested"], true);
    let refused = site
        .post(&format!("/api/v1/jobs/{}/retry", record.id), &json!({}))
        .await;
    assert_error("retry", &refused, 409, "conflict");
}

#[tokio::test]
async fn what_failed_is_retried_as_a_new_job_that_knows_its_parent() {
    let site = Site::new();
    let ended = site.ended_job().await;
    let (status, started) = site
        .post(&format!("/api/v1/jobs/{ended}/retry"), &json!({}))
        .await;
    assert_eq!(status.as_u16(), 202, "{started}");
    let job = started["job"].as_str().unwrap();
    let retried = site.sees(&format!("/api/v1/jobs/{job}")).await;
    assert_eq!(
        (&retried["parent"], &retried["record"]["state"]),
        (&json!(ended), &json!("starting"))
    );
    let submission = site
        .ledger
        .submission(job.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(submission.scope, Scope::FailedOf(ended));
}

#[tokio::test]
async fn one_group_of_failures_is_retried_alone_and_one_that_is_not_there_is_refused() {
    let site = Site::new();
    let ended = site.ended_job().await;
    let retry = format!("/api/v1/jobs/{ended}/retry");
    let failures = site.sees(&format!("/api/v1/jobs/{ended}/failures")).await;
    let group = &failures["groups"][0]["key"];
    let (status, started) = site.post(&retry, &json!({ "group": group })).await;
    assert_eq!(status.as_u16(), 202, "{started}");
    let job: JobId = started["job"].as_str().unwrap().parse().unwrap();
    let retried = site.sees(&format!("/api/v1/jobs/{job}")).await;
    assert_eq!(
        (&retried["parent"], &retried["group"]),
        (&json!(ended), group)
    );
    let submission = site.ledger.submission(job).await.unwrap().unwrap();
    let expected = Scope::GroupOf {
        job: ended,
        group: group.as_str().unwrap().parse().unwrap(),
    };
    assert_eq!(submission.scope, expected);
    let other = json!({"group": "0123456789abcdef"});
    let refused = site.post(&retry, &other).await;
    assert_error("no such group", &refused, 422, "invalid");
    let message = refused.1["error"]["message"].as_str().unwrap();
    assert!(message.contains(group.as_str().unwrap()), "{message}");
    let record = site.ledger.job(ended).await.unwrap();
    let datums = drover_shared::job::Counts {
        total: 12,
        ..record.datums
    };
    let cut_short = JobRecord { datums, ..record };
    site.replace_record(&cut_short).await;
    let refused = site.post(&retry, &json!({ "group": group })).await;
    assert_error("never ended", &refused, 409, "conflict");
    let bad = site
        .post(
            &format!("/api/v1/jobs/{ended}/retry"),
            &json!({"group": "../.."}),
        )
        .await;
    assert_error("group", &bad, 400, "invalid");
}

#[tokio::test]
async fn a_pipeline_is_made_changed_paused_and_ended() {
    let site = Site::new();
    let (status, made) = site.post("/api/v1/pipelines", &spec("made", "in")).await;
    assert_eq!(
        (status.as_u16(), &made["revision"], &made["state"]),
        (201, &json!(1), &json!("idle"))
    );
    let twice = site.post("/api/v1/pipelines", &spec("made", "in")).await;
    assert_error("twice", &twice, 409, "conflict");
    let yaml =
        "{pipeline: {name: made}, transform: {cmd: [x]}, input: {pfs: {repo: other, glob: /}}}";
    let request = axum::http::Request::put("/api/v1/pipelines/made")
        .header("host", "localhost")
        .header("content-type", "application/yaml; charset=utf-8")
        .body(yaml.into())
        .unwrap();
    let (status, changed) = super::told(site.ask(request).await).await;
    assert_eq!(
        (status.as_u16(), &changed["inputs"][0]["repo"]),
        (200, &json!("other")),
        "{changed}"
    );
    let (_, paused) = site.post("/api/v1/pipelines/made/pause", &json!({})).await;
    assert_eq!(
        (&paused["state"], &paused["paused"]),
        (&json!("paused"), &json!(true))
    );
    let (_, resumed) = site.post("/api/v1/pipelines/made/resume", &json!({})).await;
    assert_eq!(resumed["state"], "idle");
    let (status, nothing) = site
        .exchange(Method::DELETE, "/api/v1/pipelines/made", "")
        .await;
    assert_eq!((status.as_u16(), nothing.is_null()), (204, true));
    for path in ["/api/v1/pipelines/made", "/api/v1/pipelines/made/pause"] {
        let method = if path.ends_with("pause") {
            Method::POST
        } else {
            Method::GET
        };
        let gone = site.exchange(method, path, "").await;
        assert_error(path, &gone, 404, "not_found");
    }
}

#[tokio::test]
async fn a_spec_that_cannot_be_is_refused_with_all_that_is_wrong() {
    let site = Site::new();
    let bad = json!({"pipeline": {"name": "made"}, "transform": {}, "inptu": 1});
    let refused = site.post("/api/v1/pipelines", &bad).await;
    assert_error("spec", &refused, 422, "invalid");
    assert!(
        refused.1["error"]["findings"].as_array().unwrap().len() > 1,
        "{}",
        refused.1
    );
    site.post("/api/v1/pipelines", &spec("b", "a")).await;
    let circle = site.post("/api/v1/pipelines", &spec("a", "b")).await;
    assert_error("circle", &circle, 409, "conflict");
    assert!(
        circle.1["error"]["message"]
            .as_str()
            .unwrap()
            .contains("a, b"),
        "{}",
        circle.1
    );
    let renamed = site
        .exchange(
            Method::PUT,
            "/api/v1/pipelines/b",
            spec("c", "in").to_string(),
        )
        .await;
    assert_error("name", &renamed, 422, "invalid");
    let missing = site
        .exchange(
            Method::PUT,
            "/api/v1/pipelines/c",
            spec("c", "in").to_string(),
        )
        .await;
    assert_error("missing", &missing, 404, "not_found");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_wanted_is_named_once_it_is_there() {
    let site = Site::new();
    site.post("/api/v1/pipelines", &spec("made", "in")).await;
    let (status, wanted) = site.post("/api/v1/pipelines/made/run", &json!({})).await;
    assert_eq!((status.as_u16(), &wanted["job"]), (202, &json!(null)));
    let why = wanted["why"].as_str().unwrap();
    assert!(why.contains("GET /api/v1/pipelines/made"), "{why}");
    site.waiting
        .tell(&"made".parse().unwrap(), "its inputs are empty");
    let (_, waits) = site.post("/api/v1/pipelines/made/run", &json!({})).await;
    let why = waits["why"].as_str().unwrap();
    assert!(why.contains("its inputs are empty"), "{why}");
    let wanted = site
        .ledger
        .registered(&"made".parse().unwrap())
        .await
        .unwrap()
        .unwrap()
        .run_requests;
    assert_eq!(wanted, 2);
    let record = JobRecord::new(JobId::generate(), "made".parse().unwrap(), Timestamp::now());
    let making = async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        site.ledger
            .open_job(&record, &spec("made", "in"))
            .await
            .unwrap();
    };
    let body = json!({});
    let (answer, ()) = tokio::join!(site.post("/api/v1/pipelines/made/run", &body), making);
    assert_eq!(
        (&answer.1["job"], &answer.1["why"]),
        (&json!(record.id), &json!(null))
    );
}
