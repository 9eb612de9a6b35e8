//! The limits of a job hold for pipelines that are posted, too.

use drover_tests::{Spec, TestCluster, eventually};
use serde_json::{Value, json};

use crate::client::Page;

#[test]
fn a_posted_pipeline_that_exceeds_a_limit_tells_which() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 20);
    let page = Page::of(&cluster);
    let _worker = cluster.worker("*");
    let of = |name: &str| Spec::new(name).reads("in", "/*");
    let file = |name: &str| json!({"pfs": {"repo": "in", "name": name, "glob": "/*"}});
    let each = ["a", "b", "c", "d", "e", "f"].map(file);
    let rows = [
        ("max_datums", of("few").set("max_datums", 19)),
        (
            "max_datums",
            of("cross").set("input", json!({ "cross": each })),
        ),
        (
            "max_failures",
            of("failing").sh("exit 3").set("max_failures", 2),
        ),
        (
            "job_timeout",
            of("slow").sh("sleep 60").set("job_timeout", "1s"),
        ),
    ];
    for (_, spec) in &rows {
        page.post("/api/v1/pipelines", &spec.0.to_string());
    }
    for (limit, spec) in rows {
        let name = spec.name();
        eventually(&format!("{name} tells of {limit}"), || {
            let pipeline = page.get(&format!("/api/v1/pipelines/{name}"));
            let jobs = page.get(&format!("/api/v1/jobs?pipeline={name}"));
            let is_told = |value: &Value| value.to_string().contains(limit);
            let ended = jobs["jobs"].as_array().into_iter().flatten();
            let mut ended = ended.filter(|job| job["state"] != "success");
            ended.any(|job| is_told(&job["reason"])) || is_told(&pipeline["why"])
        });
    }
}

#[test]
fn a_limit_out_of_bounds_is_refused_by_name() {
    let cluster = TestCluster::new();
    let page = Page::of(&cluster);
    for (limit, value) in [
        ("max_datums", json!(0)),
        ("max_failures", json!("101%")),
        ("max_queue_size", json!(1001)),
        ("job_timeout", json!("0s")),
        ("datum_timeout", json!(-1)),
    ] {
        let spec = Spec::new("made").reads("in", "/*").set(limit, value);
        let body = spec.0.to_string();
        for path in ["/api/v1/pipelines", "/api/v1/validate"] {
            let refused = page.ask("POST", path, &[], body.as_bytes());
            refused.is_error(422, "invalid");
            assert!(refused.body.contains(limit), "{path}: {refused:?}");
        }
    }
    assert_eq!(page.get("/api/v1/pipelines")["pipelines"], json!([]));
}
