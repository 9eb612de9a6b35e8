//! Faults of workers: killed, frozen, drained. Nothing is lost, nothing is committed twice, no innocent datum fails.

use std::time::{Duration, Instant};

use drover_tests::{Proxy, Running, Signal, Spec, TestCluster, eventually, files, shared};

/// Notes the start, waits for the gate, notes the end, and copies the input.
fn gated_spec() -> Spec {
    Spec::new("made").reads("in", "/*").sh(r#"
        echo "$DROVER_DATUM_INDEX" >> "$OUTSIDE/started"
        while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done
        echo "$DROVER_DATUM_INDEX" >> "$OUTSIDE/ended"; cp "$in" /pfs/out/"#)
}

/// A job of `count` datums, coordinated, with a worker whose two slots are busy.
fn busy(count: usize, spec: &Spec) -> (TestCluster, Running, Running, String) {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", count);
    let service = cluster.serve();
    let worker = cluster.worker("made");
    let id = cluster.publish(spec);
    cluster.wait_for_lines("started", 2);
    (cluster, service, worker, id)
}

#[test]
fn what_a_killed_worker_ran_runs_elsewhere_within_a_second() {
    let (cluster, _service, worker, id) = busy(10, &gated_spec());
    let _survivor = cluster.worker("made");
    cluster.wait_for_lines("started", 4);
    let before = cluster.workspace.line_count("started");
    let killed = Instant::now();
    worker.kill();
    cluster.workspace.open_gate("gate");
    // The datums of the dead worker must begin again.
    let job = cluster.wait(&id);
    assert!(killed.elapsed() < Duration::from_secs(60));
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "10: 10 processed")
    );
    assert_eq!(
        cluster.workspace.line_count("started"),
        12.max(before),
        "two datums began twice"
    );
    assert_eq!(cluster.workspace.tree("made"), cluster.workspace.tree("in"));
    assert!(job.0["redelivered"].as_u64() > Some(0), "{job:?}");
}

#[test]
fn commands_that_stay_end_with_their_worker_and_what_they_had_goes_to_the_next() {
    let script = r#"
        while next-datum; do . /pfs/.env
            echo "$DROVER_DATUM_INDEX" >> "$OUTSIDE/started"
            if [ "$DROVER_DATUM_INDEX" -ge 4 ]; then
                echo "$DROVER_DATUM_INDEX" >> "$OUTSIDE/waiting"
                while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done
            fi
            cp "$in" /pfs/out/
        done"#;
    let stays = Spec::new("made").reads("in", "/*").sh(script);
    let (cluster, _service, worker, id) = busy(20, &stays.set("transform.datum_batching", true));
    cluster.wait_for_lines("waiting", 2);
    worker.kill();
    let mut drained = cluster.worker("made");
    cluster.wait_for_lines("waiting", 4);
    drained.signal(Signal::SIGTERM);
    let _survivor = cluster.worker("made");
    cluster.wait_for_lines("waiting", 6);
    assert!(!drained.has_ended(), "it waits for what it runs");
    cluster.workspace.open_gate("gate");
    drained.finish().code(0);
    let job = cluster.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "20: 20 processed")
    );
    assert_eq!(cluster.workspace.tree("made"), cluster.workspace.tree("in"));
}

#[test]
fn a_drained_worker_finishes_what_runs_and_hands_the_rest_back_uncounted() {
    let (cluster, _service, mut worker, id) = busy(10, &gated_spec());
    worker.signal(Signal::SIGTERM);
    let _next = cluster.worker("made");
    cluster.wait_for_lines("started", 4);
    assert!(!worker.has_ended(), "it waits for what it runs");
    cluster.workspace.open_gate("gate");
    worker.finish().code(0);
    let job = cluster.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "10: 10 processed")
    );
    assert_eq!(
        cluster.workspace.line_count("started"),
        10,
        "nothing began twice"
    );
}

#[test]
fn a_worker_whose_grace_is_over_gives_up_what_runs_and_no_attempt_is_charged() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 4);
    let _service = cluster.serve();
    let mut worker = cluster.worker_with(
        "made",
        &["--slots", "2", "--grace", "200ms", "--term-grace", "200ms"],
    );
    let id = cluster.publish(&gated_spec().set("datum_tries", 1));
    cluster.wait_for_lines("started", 2);
    worker.signal(Signal::SIGTERM);
    worker.finish().code(3);
    let _next = cluster.worker("made");
    cluster.workspace.open_gate("gate");
    let job = cluster.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "4: 4 processed")
    );
}

#[test]
fn a_second_signal_cuts_a_worker_short() {
    let (cluster, _service, mut worker, id) = busy(3, &gated_spec());
    worker.signal(Signal::SIGTERM);
    eventually("the signal was heard", || {
        worker.stderr().contains("drain") || worker.has_ended()
    });
    worker.signal(Signal::SIGTERM);
    worker.finish().code(3);
    let _next = cluster.worker("made");
    cluster.workspace.open_gate("gate");
    assert_eq!(cluster.wait(&id).counts(), "3: 3 processed");
}

#[test]
fn a_frozen_worker_that_wakes_can_neither_commit_nor_overwrite() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 4);
    let _service = cluster.serve();
    let url = format!("{}?heartbeat=1", cluster.url());
    let frozen = cluster.worker_command(&url, "made", &["--slots", "2"]);
    let mut frozen = cluster.workspace.start_command(frozen);
    let spec = gated_spec().sh(r#"
        echo "$DROVER_DATUM_INDEX" >> "$OUTSIDE/started"
        while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done
        echo "$DROVER_WORKER" > "/pfs/out/$DROVER_DATUM_INDEX"; echo "$DROVER_WORKER" >> "$OUTSIDE/ended""#);
    let id = cluster.publish(&spec);
    cluster.wait_for_lines("started", 2);
    frozen.signal(Signal::SIGSTOP);
    let _survivor = cluster.worker("made");
    // After three heartbeats the broker gives what it held to the survivor.
    cluster.wait_for_lines("started", 4);
    cluster.workspace.open_gate("gate");
    let job = cluster.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "4: 4 processed")
    );
    let made = cluster.workspace.tree("made");
    frozen.signal(Signal::SIGCONT);
    // The worker ends its commands, loses every commit, and subscribes again.
    cluster.wait_for_lines("ended", 6);
    let again = cluster.wait(&cluster.publish(&spec));
    assert_eq!(again.counts(), "4: 4 skipped");
    assert_eq!(
        cluster.workspace.tree("made"),
        made,
        "a zombie wrote into the output"
    );
}

#[test]
fn of_two_workers_with_one_datum_the_first_to_commit_has_done_it() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 1);
    let _service = cluster.serve();
    let proxy = Proxy::to(shared().port());
    let _cut_off = cluster.worker_at(&proxy.way_to(cluster.url()), "made");
    let spec = Spec::new("made").reads("in", "/*").sh(r#"
        if mkdir "$OUTSIDE/begun"; then me=first; else me=second; fi; echo >> "$OUTSIDE/started"
        while [ ! -e "$OUTSIDE/gate-$me" ]; do sleep 0.01; done; echo $me > /pfs/out/who"#);
    let id = cluster.publish(&spec);
    cluster.wait_for_lines("started", 1);
    proxy.cut();
    let _other = cluster.worker("made");
    cluster.wait_for_lines("started", 2);
    cluster.workspace.open_gate("gate-first");
    let commits = format!(".drover/jobs/{id}/commits/{:017}", 0);
    let commit = cluster.workspace.path(&format!("{commits}/{:020}.json", 0));
    eventually("the first one committed", || commit.exists());
    cluster.workspace.open_gate("gate-second");
    assert_eq!(cluster.wait(&id).counts(), "1: 1 processed");
    assert_eq!(cluster.workspace.tree("made"), files([("who", "first\n")]));
}

#[test]
fn a_worker_that_holds_many_short_datums_counts_as_one_and_loses_none_when_killed() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 2_000);
    let _service = cluster.serve();
    let worker = cluster.worker_with("made", &["--slots", "1", "--log", "drover_worker=debug"]);
    let id = cluster.publish(&Spec::new("made").reads("in", "/*").cmd(&["/bin/true"]));
    eventually("it holds more", || worker.stderr().contains("Further"));
    eventually("it counts as one", || {
        let explained = cluster.call(&["explain", &id]).code(0).stdout;
        explained.contains("1 worker is connected")
    });
    worker.kill();
    let _survivor = cluster.worker("made");
    let job = cluster.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "2000: 2000 processed")
    );
}
