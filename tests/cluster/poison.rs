//! Datums that kill their workers.

use std::fs;

use drover_tests::{Signal, Spec, TestCluster, eventually, shared};

/// Notes the start, and copies the input after `$OUTSIDE/gate` was opened.
const WAITING: &str = r#"
    echo >> "$OUTSIDE/started"
    while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done
    cp "$in" /pfs/out/"#;

#[test]
fn a_datum_that_kills_its_workers_is_failed_and_its_neighbours_are_not() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 12);
    let _service = cluster.serve();
    // The test kills a worker whenever datum 3 runs, as the kernel kills a process that uses up the memory.
    let spec = Spec::new("made")
        .reads("in", "/*")
        .sh(r#"
            case $DROVER_DATUM_INDEX in 3) echo >> "$OUTSIDE/eating"; sleep 60 ;; esac
            cp "$in" /pfs/out/"#)
        .set("datum_tries", 3);
    let id = cluster.publish(&spec);
    let mut worker = cluster.worker("made");
    let mut waiting = cluster.start(&["wait", "--output", "json", &id]);
    let mut deaths = 0;
    while !waiting.has_ended() {
        if cluster.workspace.line_count("eating") > deaths {
            deaths += 1;
            assert!(deaths < 10, "it kills worker after worker");
            worker.kill();
            worker = cluster.worker("made");
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let job = waiting.finish().code(1).job();
    assert_eq!(job.counts(), "12: 11 processed, 1 failed");
    let reason = "worker died 3 times while running it";
    assert!(job.reason().contains(reason), "{}", job.reason());
    assert!((3..=5).contains(&deaths), "{deaths} workers died");
}

#[test]
fn a_delivery_limit_of_the_broker_fails_no_datum_that_a_dead_worker_merely_held() {
    let cluster = TestCluster::new();
    let vhost = cluster.url().rsplit('/').next().expect("a URL has a vhost");
    let limit = r#"{"delivery-limit":3}"#;
    shared().ctl(&[
        "set_policy",
        "-p",
        vhost,
        "--apply-to",
        "queues",
        "limit",
        "^drover",
        limit,
    ]);
    cluster.workspace.numbered_files("in", 8);
    let _service = cluster.serve();
    // So many tries that no datum is thought to kill workers.
    let spec = Spec::new("made")
        .reads("in", "/*")
        .sh(WAITING)
        .set("datum_tries", 20);
    let id = cluster.publish(&spec);
    for _ in 0..6 {
        let started = cluster.workspace.line_count("started");
        let worker = cluster.worker("made");
        cluster.wait_for_lines("started", started + 1);
        worker.kill();
    }
    cluster.workspace.open_gate("gate");
    let _worker = cluster.worker("made");
    let job = cluster.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "8: 8 processed"),
        "{}",
        job.reason()
    );
}

#[test]
fn workers_that_are_told_to_leave_and_killed_before_their_grace_is_over_charge_no_datum() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 1);
    let _service = cluster.serve();
    let spec = Spec::new("made")
        .reads("in", "/*")
        .sh(WAITING)
        .set("datum_tries", 1);
    let id = cluster.publish(&spec);
    let notes = || {
        let jobs = cluster.workspace.store().join(".drover/jobs");
        let marks = fs::read_dir(jobs).into_iter().flatten().flatten();
        let marks =
            marks.flat_map(|job| fs::read_dir(job.path().join("marks")).into_iter().flatten());
        let names = marks
            .flatten()
            .map(|mark| mark.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.contains(".w")).count()
    };
    // The machine of the worker goes two minutes after the notice, sooner than the grace of ten minutes.
    for reclaims in 1..=4 {
        let mut worker = cluster.worker_with("made", &["--grace", "10m"]);
        cluster.wait_for_lines("started", reclaims);
        worker.signal(Signal::SIGTERM);
        eventually("the worker has noted its time", || notes() == reclaims);
        worker.kill();
    }
    cluster.workspace.open_gate("gate");
    let _worker = cluster.worker("made");
    let job = cluster.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "1: 1 processed"),
        "{}",
        job.reason()
    );
    let wasted = job.0["stats"]["wasted_time_s"].as_f64();
    assert!(wasted > Some(0.0), "{}", job.0);
    let explained = cluster.call(&["explain", &id]);
    assert!(
        explained.stdout.contains("Workers had to leave"),
        "{}",
        explained.stdout
    );
}
