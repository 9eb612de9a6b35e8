//! Memory across machines: a datum that is too large for one worker is left to a larger one.

use drover_tests::{Spec, TestCluster};

const HOLD: &str = r#"echo >> "$OUTSIDE/started"
    (head -c "$(cat "$in")M" /dev/zero; sleep 0.5) | tail -n 1 | wc -c > "/pfs/out/$(basename "$in")""#;

#[test]
fn a_datum_that_is_too_large_for_a_worker_is_left_to_a_larger_one() {
    let cluster = TestCluster::new();
    for (name, megabytes) in [("a", "300"), ("b", "20"), ("c", "20"), ("d", "20")] {
        cluster.workspace.file(&format!("in/{name}"), megabytes);
    }
    let _service = cluster.serve();
    let spec = Spec::new("made").reads("in", "/*").sh(HOLD);
    let small = ["--slots", "1", "--memory", "150M"];
    let _small = cluster.worker_with("made", &small);
    let id = cluster.publish(&spec);
    cluster.wait_for_lines("started", 1);
    let _other = cluster.worker_with("made", &small);
    let _large = cluster.worker_with("made", &["--slots", "1", "--memory", "700M"]);
    let job = cluster.wait(&id);
    assert_eq!(job.counts(), "4: 4 processed", "{}", job.reason());
}

#[test]
fn a_datum_that_is_too_large_for_every_worker_fails_with_the_reason() {
    let cluster = TestCluster::new();
    cluster.workspace.file("in/a", "300");
    let _service = cluster.serve();
    let spec = Spec::new("made").reads("in", "/*").sh(HOLD);
    let _small = cluster.worker_with("made", &["--slots", "1", "--memory", "100M"]);
    let _larger = cluster.worker_with("made", &["--slots", "1", "--memory", "200M"]);
    let id = cluster.publish(&spec);
    let job = cluster.wait(&id);
    assert_eq!(job.counts(), "1: 1 failed");
    let datums = cluster.call(&["datums", &id, "--output", "json"]).lines();
    let reason = datums[0]["reason"].to_string();
    assert!(reason.contains("the largest worker has 200 MB"), "{reason}");
}
