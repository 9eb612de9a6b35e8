//! Answers about jobs, datums, logs and pipelines.

use drover_shared::id::JobId;
use drover_shared::job::{CauseKey, JobRecord};
use drover_shared::ledger::PipelineChange;
use jiff::Timestamp;
use serde_json::json;

use super::{Site, ending, indexes, spec};

#[tokio::test]
async fn jobs_are_listed_newest_first_and_page_by_page() {
    let site = Site::new();
    let mut ids = Vec::new();
    for number in 0..5 {
        let name = if number == 2 { "other" } else { "made" };
        let record = JobRecord::new(JobId::generate(), name.parse().unwrap(), Timestamp::now());
        site.ledger
            .open_job(&record, &spec(name, "in"))
            .await
            .unwrap();
        ids.insert(0, json!(record.id));
    }
    let listed = |page: &serde_json::Value| -> Vec<serde_json::Value> {
        let jobs = page["jobs"].as_array().unwrap();
        jobs.iter().map(|job| job["job"].clone()).collect()
    };
    let page = site.sees("/api/v1/jobs?limit=2").await;
    assert_eq!((listed(&page), &page["next"]), (ids[..2].to_vec(), &ids[1]));
    let before = page["next"].as_str().unwrap();
    let page = site
        .sees(&format!("/api/v1/jobs?limit=3&before={before}"))
        .await;
    assert_eq!(
        (listed(&page), &page["next"]),
        (ids[2..].to_vec(), &json!(null))
    );
    let page = site
        .sees("/api/v1/jobs?pipeline=other&state=starting,running")
        .await;
    assert_eq!(listed(&page), [ids[2].clone()]);
    let page = site.sees("/api/v1/jobs?state=success").await;
    assert_eq!(listed(&page), Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn a_job_is_told_with_what_failed_in_it() {
    let site = Site::new();
    let id = site.ended_job().await;
    let job = site.sees(&format!("/api/v1/jobs/{id}")).await;
    assert_eq!(job["record"], json!(site.ledger.job(id).await.unwrap()));
    let beside = [
        &job["live"],
        &job["queued"],
        &job["running"],
        &job["parent"],
        &job["why"],
    ];
    assert_eq!(
        beside,
        [
            &json!(null),
            &json!(0),
            &json!(0),
            &json!(null),
            &json!(null)
        ]
    );
    let failures = site.sees(&format!("/api/v1/jobs/{id}/failures")).await;
    let groups = failures["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 2, "{failures}");
    let key = CauseKey::of(&ending(3).cause.unwrap());
    assert_eq!(groups[0]["key"], json!(key));
    assert_eq!(
        (&groups[0]["pattern"], &groups[0]["samples"]),
        (&json!("row #: no such column"), &json!([3]))
    );
    let of_group = site
        .sees(&format!("/api/v1/jobs/{id}/datums?group={key}"))
        .await;
    assert_eq!(indexes(&of_group), [3]);
}

#[tokio::test]
async fn datums_are_found_by_state_path_and_worker_and_paged_by_index() {
    let site = Site::new();
    let id = site.ended_job().await;
    let rows = [
        ("", vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9], None),
        ("state=failed", vec![3, 7], None),
        ("state=failed,skipped", vec![3, 7, 9], None),
        ("state=queued", vec![], None),
        ("state=running", vec![], None),
        ("path=/7", vec![7], None),
        ("worker=worker-1&limit=1&after=2", vec![3], Some(3)),
        ("worker=nobody", vec![], None),
        ("limit=4", vec![0, 1, 2, 3], Some(3)),
        ("limit=4&after=3", vec![4, 5, 6, 7], Some(7)),
        ("limit=4&after=7", vec![8, 9], None),
        ("after=18446744073709551615", vec![], None),
    ];
    for (query, expected, next) in rows {
        let page = site
            .sees(&format!("/api/v1/jobs/{id}/datums?{query}"))
            .await;
        assert_eq!(
            (indexes(&page), &page["next"]),
            (expected, &json!(next)),
            "{query}"
        );
        assert_eq!(page["complete"], true, "{query}");
        let passed = next.map_or(10, |next| next + 1);
        assert!(page["looked_at"].as_u64().unwrap() <= 10, "{query}: {page}");
        if query == "limit=4" {
            assert_eq!(page["looked_at"], passed, "{page}");
        }
    }
}

#[tokio::test]
async fn a_datum_is_told_with_its_verdict_its_logs_and_who_wrote_its_files() {
    let site = Site::new();
    let id = site.ended_job().await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let lines = "2026-11-23T18:31:55.1Z stderr F first\n2026-11-23T18:31:55.2Z stdout F second\n";
    std::fs::write(&log, lines).unwrap();
    site.ledger
        .save_log(id, 3, "claim.1.log", &log)
        .await
        .unwrap();
    let datum = site.sees(&format!("/api/v1/jobs/{id}/datums/3")).await;
    assert_eq!(
        (&datum["state"], &datum["reason"]),
        (&json!("failed"), &json!("exit 1: row 3: no such column"))
    );
    assert_eq!(
        (&datum["attempts_logged"], &datum["verdict"]["started"]),
        (&json!([1]), &json!("1970-01-01T00:00:03Z"))
    );
    let logs = site.sees(&format!("/api/v1/jobs/{id}/datums/3/logs")).await;
    let first = json!({"line": 0, "index": 3, "attempt": 1, "time": "2026-11-23T18:31:55.1Z", "stream": "stderr", "text": "first"});
    assert_eq!(
        (&logs["lines"][0], &logs["truncated"]),
        (&first, &json!(false))
    );
    let logs = site
        .sees(&format!("/api/v1/jobs/{id}/datums/3/logs?limit=1"))
        .await;
    assert_eq!(
        (&logs["lines"], &logs["truncated"]),
        (&json!([first]), &json!(true))
    );
    let logs = site
        .sees(&format!("/api/v1/jobs/{id}/datums/3/logs?tail=1"))
        .await;
    assert_eq!(
        (&logs["lines"][0]["text"], &logs["truncated"]),
        (&json!("second"), &json!(true))
    );
    let logs = site
        .sees(&format!("/api/v1/jobs/{id}/datums/3/logs?attempt=2"))
        .await;
    assert_eq!(logs["lines"], json!([]));
    let skipped = site.sees(&format!("/api/v1/jobs/{id}/datums/9")).await;
    assert_eq!(
        (&skipped["state"], &skipped["done"]["index"]),
        (&json!("skipped"), &json!(9))
    );
    // A job with skipped datums does not know all writers; another one does.
    let mut record = site.ledger.job(id).await.unwrap();
    record.datums.skipped = 0;
    site.replace_record(&record).await;
    let datum = site.sees(&format!("/api/v1/jobs/{id}/datums/0")).await;
    assert_eq!(
        datum["outputs"],
        json!([{"path": "/all", "size": 1, "from": [0, 1, 2, 4, 5, 6, 8]}])
    );
}

#[tokio::test]
async fn a_timeline_counts_every_verdict() {
    let site = Site::new();
    let id = site.ended_job().await;
    let timeline = site
        .sees(&format!("/api/v1/jobs/{id}/timeline?buckets=10"))
        .await;
    let sum = |of: &serde_json::Value| {
        of.as_array()
            .unwrap()
            .iter()
            .filter_map(serde_json::Value::as_f64)
            .sum::<f64>()
    };
    assert_eq!(
        (sum(&timeline["throughput"]), timeline["sampled"].as_f64()),
        (9.0, Some(1.0))
    );
    let worker = &timeline["workers"][0];
    assert_eq!((sum(&worker["ended"]), sum(&worker["failed"])), (9.0, 2.0));
    // Each command took a quarter of a second of the half that a datum took with its wait.
    assert!((sum(&worker["busy"]) - 2.25).abs() < 1e-6, "{timeline}");
}

#[tokio::test]
async fn pipelines_know_their_jobs_their_neighbours_and_why_they_wait() {
    let site = Site::new();
    for (name, reads) in [("made", "in"), ("copied", "made")] {
        let change = PipelineChange::Create(spec(name, reads));
        site.ledger
            .change_pipeline(&name.parse().unwrap(), &change)
            .await
            .unwrap();
    }
    let id = site.ended_job().await;
    let why = "reads made, which does not exist yet".to_owned();
    site.waiting.tell(&"copied".parse().unwrap(), &why);
    let pipelines = site.sees("/api/v1/pipelines").await;
    let [copied, made] = &pipelines["pipelines"].as_array().unwrap()[..] else {
        panic!("two pipelines, not {pipelines}");
    };
    assert_eq!(
        (&copied["state"], &copied["why"]),
        (&json!("waiting"), &json!(why))
    );
    assert_eq!(
        (&made["state"], &made["outputs_to"]),
        (&json!("failed"), &json!(["copied"]))
    );
    assert_eq!(
        (&made["last_job"]["job"], &copied["last_job"]),
        (&json!(id), &json!(null))
    );
    assert_eq!(copied["inputs"][0]["from"], "made");
    let details = site.sees("/api/v1/pipelines/made").await;
    assert_eq!(details["spec"]["pipeline"]["name"], "made");
    let graph = site.sees("/api/v1/graph").await;
    let edges = json!([{"from": "in", "to": "made", "input": "in"}, {"from": "made", "to": "copied", "input": "made"}]);
    assert_eq!(graph["edges"], edges);
    let kinds: Vec<_> = graph["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (&node["id"], &node["kind"]))
        .collect();
    let expected = [("copied", "pipeline"), ("in", "repo"), ("made", "pipeline")]
        .map(|(id, kind)| (json!(id), json!(kind)));
    assert_eq!(kinds, expected.each_ref().map(|(id, kind)| (id, kind)));
}

#[tokio::test]
async fn the_session_says_who_answers_and_the_page_is_there() {
    let site = Site::new();
    let session = site.sees("/api/v1/session").await;
    assert_eq!(
        (&session["role"], &session["broker"]),
        (&json!("full"), &json!("embedded"))
    );
    for path in ["/", "/jobs", "/pipelines/made"] {
        let page = site.sees(path).await;
        assert!(
            page.as_str().unwrap().contains("<title>Drover</title>"),
            "{page}"
        );
    }
    assert!(crate::server::assets::FILES.is_sorted_by_key(|(name, _)| *name));
    let (status, _) = site.get("/page/../mod.rs").await;
    assert_eq!(status, 404);
}
