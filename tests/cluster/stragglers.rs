//! Stragglers: a datum that takes far longer than predicted runs a second time on another worker.

use std::time::{Duration, Instant};

use drover_tests::{Spec, TestCluster};

/// The first run of the datum `a` is as slow as on a broken machine; a further run of it waits for the file `go`.
const SLOW_AT_FIRST: &str = r#"name=$(basename "$in")
    echo "$name" >> "$OUTSIDE/started"
    if test "$name" = a && mkdir "$OUTSIDE/slow" 2> /dev/null; then
        trap 'echo >> "$OUTSIDE/ended"; exit 1' TERM
        sleep 600 & wait
    fi
    until test "$name" != a || test -e "$OUTSIDE/go"; do sleep 0.05; done
    sleep 0.2
    cp "$in" /pfs/out/"#;

const DATUMS: usize = 6;

fn cluster() -> (TestCluster, Spec) {
    let cluster = TestCluster::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        cluster.workspace.file(&format!("in/{name}"), name);
    }
    let spec = Spec::new("made").reads("in", "/*").sh(SLOW_AT_FIRST);
    (cluster, spec.set("stragglers", "copy"))
}

fn open(cluster: &TestCluster) {
    let go = cluster.workspace.outside("go");
    std::fs::write(go, "").expect("the workspace is writable");
}

#[test]
fn a_straggler_runs_a_second_time_elsewhere_and_the_first_commit_counts() {
    let (cluster, spec) = cluster();
    open(&cluster);
    let _service = cluster.serve();
    let _workers = [(); 3].map(|()| cluster.worker_with("made", &["--slots", "1"]));
    let begun = Instant::now();
    let id = cluster.publish(&spec);
    let job = cluster.wait(&id);
    assert_eq!(job.counts(), "6: 6 processed", "{}", job.reason());
    assert!(begun.elapsed() < Duration::from_secs(60));
    cluster.wait_for_lines("ended", 1);
    assert_eq!(cluster.workspace.line_count("started"), DATUMS + 1);
    let datums = cluster.call(&["datums", &id, "--output", "json"]).lines();
    for datum in datums {
        assert_eq!(datum["attempts"], 1, "{datum}");
    }
}

#[test]
fn the_death_of_the_leader_and_of_the_slow_worker_leave_the_copy_alone() {
    let (cluster, spec) = cluster();
    let service = cluster.serve();
    let slow = cluster.worker_with("made", &["--slots", "1"]);
    let id = cluster.publish(&spec);
    cluster.wait_for_lines("started", 1);
    let _workers = [(); 2].map(|()| cluster.worker_with("made", &["--slots", "1"]));
    cluster.wait_for_lines("started", DATUMS + 1);
    service.kill();
    slow.kill();
    let _service = cluster.serve();
    open(&cluster);
    let job = cluster.wait(&id);
    assert_eq!(job.counts(), "6: 6 processed", "{}", job.reason());
}
