//! Jobs at work, seen and steered over HTTP.

use drover_tests::{Spec, TestCluster, eventually};

use crate::client::Page;

#[test]
fn a_job_is_seen_at_work_and_stopped_and_whoever_listens_hears_its_end() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 20);
    let page = Page::of(&cluster);
    let _worker = cluster.worker("made");
    let mut events = page.events();
    assert_eq!(events.until("hello", |_| true)["role"], "full");
    let endless = Spec::new("made")
        .reads("in", "/*")
        .sh(r#"echo >> "$OUTSIDE/started"; while :; do sleep 0.05; done"#);
    let id = cluster.publish(&endless);
    cluster.wait_for_lines("started", 2);
    let job = format!("/api/v1/jobs/{id}");
    eventually("the two that run are told", || {
        let running = page.get(&job)["live"]["running"].clone();
        running.as_array().is_some_and(|running| running.len() == 2)
    });
    let workers = page.get("/api/v1/workers");
    assert_eq!(
        workers["workers"][0]["running"].as_array().map(Vec::len),
        Some(2),
        "{workers}"
    );
    assert_eq!(workers["consumers"]["made"], 1, "{workers}");
    let running = page.get(&format!("{job}/datums?state=running"));
    assert_eq!(
        running["datums"].as_array().map(Vec::len),
        Some(2),
        "{running}"
    );
    assert_eq!(page.get(&job)["why"], serde_json::Value::Null);
    page.post(&format!("{job}/stop"), "{}");
    let ended = events.until("job", |job| job["job"] == *id && job["state"] == "killed");
    assert_eq!(ended["reason"], "stopped on request");
    assert_eq!(page.get(&job)["record"]["state"], "killed");
    page.ask("POST", &format!("{job}/stop"), &[], b"")
        .is_error(409, "conflict");
}

#[test]
fn what_failed_is_looked_into_and_retried() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 6);
    let picky = Spec::new("made").reads("in", "/*").sh(
        r#"case $in in *3) [ -e "$OUTSIDE/mended" ] || { echo bad >&2; exit 7; } ;; esac; cp "$in" /pfs/out/"#,
    );
    let page = Page::of(&cluster);
    let _worker = cluster.worker("made");
    let id = cluster.publish(&picky);
    assert_eq!(cluster.wait(&id).state(), "failure");
    let job = format!("/api/v1/jobs/{id}");
    let failures = page.get(&format!("{job}/failures"));
    let group = &failures["groups"][0];
    assert_eq!(
        (group["kind"].as_str(), group["count"].as_u64()),
        (Some("exit 7"), Some(1))
    );
    let key = group["key"].as_str().expect("a group has a key");
    let failed = page.get(&format!("{job}/datums?group={key}"));
    assert_eq!(failed["datums"][0]["inputs"][0]["path"], "/003", "{failed}");
    let logs = page.get(&format!("{job}/datums/3/logs"));
    assert_eq!(logs["lines"][0]["text"], "bad", "{logs}");
    let datum = page.get(&format!("{job}/datums/3"));
    assert_eq!(datum["attempts_logged"], serde_json::json!([1]), "{datum}");
    cluster.workspace.open_gate("mended");
    let retry = format!(r#"{{"group": "{key}"}}"#);
    let again = || {
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", "mended-1"),
        ];
        page.ask("POST", &format!("{job}/retry"), &headers, retry.as_bytes())
    };
    let retried = again().json();
    assert_eq!(
        again().json(),
        retried,
        "a repeated request makes no other job"
    );
    let retried = retried["job"].as_str().expect("a job was made");
    assert_eq!(cluster.wait(retried).counts(), "6: 1 processed, 5 skipped");
    assert_eq!(page.get(&format!("/api/v1/jobs/{retried}"))["parent"], *id);
    let listed = page.get("/api/v1/jobs?limit=1");
    assert_eq!(
        (&listed["jobs"][0]["job"], &listed["next"]),
        (&retried.into(), &retried.into())
    );
}

#[test]
fn a_job_without_workers_says_what_it_waits_for() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 3);
    let page = Page::of(&cluster);
    let id = cluster.publish(&Spec::new("made").reads("in", "/*"));
    let mut why = String::new();
    eventually("the missing worker is named", || {
        let told = page.get(&format!("/api/v1/jobs/{id}"));
        told["why"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut why);
        why.contains("no worker of made is connected")
    });
}
