//! Attacks by whoever reaches the broker and does not have the key of the job.

use std::fs;

use drover_tests::{Running, Spec, TestCluster, eventually, publish_as_stranger};
use serde_json::{Value, json};

/// Waits for the gate; the third datum fails.
const SCRIPT: &str = r#"
    echo "$DROVER_DATUM_INDEX" >> "$OUTSIDE/runs"
    while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done
    cp "$in" /pfs/out/; [ "$DROVER_DATUM_INDEX" != 2 ]"#;

/// A report that a datum of the job succeeded, in no time or in a time that spoils every sum.
fn ended(job: &str, index: u64, seconds: f64) -> Value {
    json!({
        "kind": "report", "version": 1, "job": job, "redeliveries": 0,
        "event": {"event": "ended", "first": true, "verdict": {
            "index": index, "datum": "00112233445566778899aabbccddeeff", "state": "success", "attempts": 1,
            "worker": "forger", "started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:00:00Z",
            "stats": {
                "download_bytes": 0, "upload_bytes": u64::MAX, "download_time_s": 0.0,
                "process_time_s": seconds, "upload_time_s": -1.0,
            },
        }},
    })
}

/// A task that says of a datum of the job what is not so.
fn task(job: &str, index: u64) -> Value {
    json!({
        "kind": "task", "version": 1, "job": job, "total": 99, "term": u64::MAX,
        "datums": {"inline": [{
            "index": index, "datum": "00112233445566778899aabbccddeeff",
            "inputs": [{
                "name": "in", "repo": "elsewhere", "path": "/file", "kind": "file", "size": 1, "tag": "blake3:00", "leaf": 0,
            }],
        }]},
    })
}

/// The message, and the message with a wrong authentication code.
fn with_and_without_code(message: &Value) -> [String; 2] {
    let unsigned = message.to_string();
    let content = unsigned.strip_suffix('}').expect("it is an object");
    let signed = format!("{content},\"mac\":\"{}\"}}", "0".repeat(64));
    [unsigned, signed]
}

/// A job of four datums, two of which run and wait for the gate.
struct Scene {
    job: String,
    // The processes are dropped before the cluster.
    _processes: [Running; 2],
    cluster: TestCluster,
}

impl Scene {
    fn set() -> Self {
        let cluster = TestCluster::new();
        cluster.workspace.numbered_files("in", 4);
        let processes = [cluster.serve(), cluster.worker("made")];
        let job = cluster.publish(&Spec::new("made").reads("in", "/*").sh(SCRIPT));
        cluster.wait_for_lines("runs", 2);
        Self {
            job,
            _processes: processes,
            cluster,
        }
    }

    /// Opens the gate: the job ends as if nothing had happened.
    fn assert_undisturbed(&self) {
        self.cluster.workspace.open_gate("gate");
        let job = self.cluster.wait(&self.job);
        assert_eq!(
            (job.state(), job.counts()),
            ("failure", "4: 3 processed, 1 failed".to_owned())
        );
        let runs = self.cluster.workspace.line_count("runs");
        assert_eq!(runs, 4, "each ran once");
    }
}

#[test]
fn no_forged_task_or_dead_letter_ends_or_spoils_anything() {
    let scene = Scene::set();
    let (cluster, id) = (&scene.cluster, &scene.job);
    let forged: Vec<_> = (0..4)
        .flat_map(|index| with_and_without_code(&task(id, index)))
        .collect();
    let messages: Vec<&[u8]> = forged.iter().map(String::as_bytes).collect();
    publish_as_stranger(cluster.url(), "", "drover.made.dead", &messages);
    let parked = cluster.workspace.path(".drover/pipelines/made/parked");
    eventually("every forged dead letter was parked", || {
        fs::read_dir(&parked).map_or(0, Iterator::count) == messages.len()
    });
    assert_eq!(cluster.job(id).count("failed"), 0);
    publish_as_stranger(cluster.url(), "", "drover.made.datums", &messages);
    scene.assert_undisturbed();
}

#[test]
fn no_forged_report_or_stop_ends_or_spoils_anything() {
    let scene = Scene::set();
    let (cluster, id) = (&scene.cluster, &scene.job);
    let mut forged = Vec::new();
    for index in 0..4 {
        for seconds in [1.0, 1e308] {
            forged.extend(with_and_without_code(&ended(id, index, seconds)));
        }
    }
    let count = forged.len();
    let stop = json!({"kind": "control", "version": 1, "event": "stop", "job": id});
    let forged: Vec<&[u8]> = forged.iter().map(String::as_bytes).collect();
    publish_as_stranger(cluster.url(), "", "drover.made.reports", &forged);
    let stop = stop.to_string();
    publish_as_stranger(cluster.url(), "drover.control", "", &[stop.as_bytes()]);
    let parked = cluster.workspace.path(".drover/pipelines/made/parked");
    eventually("every forged report was dead-lettered", || {
        fs::read_dir(&parked).map_or(0, Iterator::count) == count
    });
    assert_eq!(cluster.job(id).count("processed"), 0);
    let explained = cluster.call(&["explain", id]).code(0).stdout;
    assert!(explained.contains("authentication code"), "{explained}");
    scene.assert_undisturbed();
}
