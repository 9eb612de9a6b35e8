//! Queues that no process needs any more are deleted at the broker.

use std::fs;

use drover_tests::{Signal, Spec, TestCluster, eventually, shared};

/// The queues of the cluster's pipelines, without those of its processes.
fn queues(cluster: &TestCluster) -> Vec<String> {
    let (_, vhost) = cluster.url().rsplit_once('/').expect("a URL has a vhost");
    let listed = shared().ctl(&[
        "-q",
        "list_queues",
        "-p",
        vhost,
        "name",
        "--no-table-headers",
    ]);
    let kept = listed.lines().filter(|name| !name.ends_with(".control"));
    kept.map(str::to_owned).collect()
}

#[test]
fn a_deleted_pipeline_leaves_no_queues_and_another_one_keeps_its_own() {
    let cluster = TestCluster::new();
    for name in ["made", "kept"] {
        let spec = Spec::new(name).reads("in", "/*");
        let spec = cluster.workspace.spec(&spec);
        cluster.call(&["create", "pipeline", "-f", &spec]).code(0);
    }
    cluster.workspace.numbered_files("in", 3);
    let _service = cluster.serve();
    let mut made = cluster.worker("made");
    let _kept = cluster.worker("kept");
    for name in ["made", "kept"] {
        eventually("the output is there", || {
            cluster.workspace.path(name).is_dir() && cluster.workspace.tree(name).len() == 3
        });
    }
    assert_eq!(queues(&cluster).len(), 6);
    cluster.call(&["delete", "pipeline", "made"]).code(0);
    made.signal(Signal::SIGTERM);
    made.finish().code(0);
    eventually("the queues of the deleted pipeline are gone", || {
        let left = queues(&cluster);
        left.len() == 3 && left.iter().all(|name| name.starts_with("drover.kept."))
    });
}

#[test]
fn the_queues_of_a_deleted_pipeline_go_without_a_service() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 1);
    let spec = cluster.workspace.spec(&Spec::new("made").reads("in", "/*"));
    cluster.call(&["create", "pipeline", "-f", &spec]).code(0);
    let (service, worker) = (cluster.serve(), cluster.worker("made"));
    eventually("the job has ended", || {
        let jobs = cluster.call(&["--output", "json", "jobs"]).code(0).stdout;
        jobs.contains(r#""state":"success""#)
    });
    for mut process in [service, worker] {
        process.signal(Signal::SIGTERM);
        process.finish().code(0);
    }
    assert_eq!(queues(&cluster).len(), 3);
    cluster.call(&["delete", "pipeline", "made"]).code(0);
    assert_eq!(queues(&cluster), [""; 0]);
}

#[test]
fn a_worker_with_a_mistyped_name_says_so_and_its_queues_go_after_a_while() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 3);
    let _service = cluster.serve();
    let _worker = cluster.worker("made");
    let id = cluster.publish(&Spec::new("made").reads("in", "/*"));
    assert_eq!(cluster.wait(&id).state(), "success");
    let mistyped = cluster.worker("maed");
    eventually("the mistyped name is told", || {
        mistyped
            .stderr()
            .contains("knows no pipeline maed; did you mean made?")
    });
    eventually("the worker consumes", || queues(&cluster).len() == 6);
    mistyped.kill();
    let note = cluster.workspace.path(".drover/idle-queues/maed.json");
    let text = fs::read_to_string(&note).expect("the worker left a note");
    assert!(text.contains("unknown"), "{text}");
    // The note of long ago.
    let old = r#"{"pipeline":"maed","reason":"unknown","since":"2026-01-01T00:00:00Z"}"#;
    fs::write(&note, old).expect("the store is writable");
    eventually("the queues of the unknown pipeline are gone", || {
        queues(&cluster)
            .iter()
            .all(|name| name.starts_with("drover.made."))
    });
    assert_eq!(queues(&cluster).len(), 3);
}
