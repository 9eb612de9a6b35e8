//! The network between the broker and a worker or a coordinator: cut, half-open, slow, or without answers.

use std::thread::sleep;
use std::time::Duration;

use drover_tests::{Proxy, Spec, TestCluster, eventually, shared};

use crate::guarantees::{
    assert_guarantees, gated_spec, gated_spec_except_first, recording_spec, wait_for_processed,
};

const RUNS_UNTIL_THE_GATE: &str = r#"
    echo "$DROVER_DATUM_INDEX" >> "$OUTSIDE/runs"
    while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done
    cp "$in" /pfs/out/"#;

/// A job of `count` datums on a cluster with a spoiled network ahead.
struct Scene {
    cluster: TestCluster,
    proxy: Proxy,
    /// The broker by way of the proxy.
    url: String,
    count: usize,
}

impl Scene {
    fn of(count: usize) -> Self {
        let cluster = TestCluster::new();
        cluster.workspace.numbered_files("in", count);
        let proxy = Proxy::to(shared().port());
        let url = proxy.way_to(cluster.url());
        Self {
            cluster,
            proxy,
            url,
            count,
        }
    }

    /// The same, where three seconds without a heartbeat mean a lost connection.
    fn impatient(count: usize) -> Self {
        let mut scene = Self::of(count);
        scene.url += "?heartbeat=2";
        scene
    }

    fn break_off(&self) {
        self.proxy.cut();
        self.proxy.restore();
    }

    #[track_caller]
    fn assert_guarantees(&self, id: &str) {
        assert_guarantees(&self.cluster, id, self.count);
    }
}

#[test]
fn a_worker_whose_connection_is_cut_goes_on_and_runs_nothing_twice() {
    let scene = Scene::of(20);
    let _service = scene.cluster.serve();
    let worker = scene.cluster.worker_at(&scene.url, "made");
    let id = scene.cluster.publish(&gated_spec());
    scene.cluster.wait_for_lines("runs", 2);
    scene.break_off();
    eventually("it is connected again", || {
        worker.stderr().contains("was resumed after")
    });
    scene.cluster.workspace.open_gate("gate");
    scene.assert_guarantees(&id);
    assert_eq!(scene.cluster.workspace.line_count("runs"), 20);
}

#[test]
fn what_a_cut_off_worker_had_not_begun_runs_elsewhere_alone() {
    let scene = Scene::of(2);
    let _service = scene.cluster.serve();
    let command = scene
        .cluster
        .worker_command(&scene.url, "made", &["--slots", "1"]);
    let cut_off = scene.cluster.workspace.start_command(command);
    let spec = Spec::new("made").reads("in", "/*").sh(RUNS_UNTIL_THE_GATE);
    let id = scene.cluster.publish(&spec);
    // The second datum waits for the slot, without an answer to the broker.
    scene.cluster.wait_for_lines("runs", 1);
    sleep(Duration::from_millis(500));
    scene.proxy.cut();
    let _other = scene.cluster.worker("made");
    scene.cluster.wait_for_lines("runs", 3);
    scene.cluster.workspace.open_gate("gate");
    assert_eq!(scene.cluster.wait(&id).state(), "success");
    // Longer than the worker needs to begin with what waited for its slot.
    sleep(Duration::from_millis(1500));
    let runs = scene.cluster.workspace.line_count("runs");
    assert_eq!(runs, 3, "{}", cut_off.stderr());
    scene.proxy.restore();
}

#[test]
fn a_worker_that_is_cut_off_for_good_loses_its_datums_to_another_and_commits_none_of_them_twice() {
    let scene = Scene::of(20);
    let _service = scene.cluster.serve();
    let _cut_off = scene.cluster.worker_at(&scene.url, "made");
    let id = scene.cluster.publish(&gated_spec());
    scene.cluster.wait_for_lines("runs", 2);
    scene.proxy.cut();
    let _other = scene.cluster.worker("made");
    scene.cluster.wait_for_lines("runs", 4);
    scene.cluster.workspace.open_gate("gate");
    scene.assert_guarantees(&id);
    scene.proxy.restore();
}

#[test]
fn a_worker_behind_a_dead_line_loses_its_datums_after_three_heartbeats() {
    let scene = Scene::impatient(12);
    let _service = scene.cluster.serve();
    let _deaf = scene.cluster.worker_at(&scene.url, "made");
    let id = scene.cluster.publish(&gated_spec());
    scene.cluster.wait_for_lines("runs", 2);
    scene.proxy.half_open();
    let _other = scene.cluster.worker("made");
    scene.cluster.wait_for_lines("runs", 4);
    scene.cluster.workspace.open_gate("gate");
    scene.assert_guarantees(&id);
    scene.break_off();
}

#[test]
fn a_coordinator_whose_connection_is_cut_goes_on() {
    let scene = Scene::of(120);
    let mut service = scene.cluster.serve_at(&scene.url);
    let _worker = scene.cluster.worker("made");
    let id = scene.cluster.publish(&recording_spec());
    for runs in [10, 40, 70] {
        scene.cluster.wait_for_lines("runs", runs);
        scene.break_off();
    }
    scene.assert_guarantees(&id);
    assert!(!service.has_ended(), "{}", service.stderr());
}

#[test]
fn a_coordinator_behind_a_dead_line_is_replaced_after_three_heartbeats() {
    let scene = Scene::impatient(60);
    let _deaf = scene.cluster.serve_at(&scene.url);
    let _worker = scene.cluster.worker("made");
    let id = scene.cluster.publish(&recording_spec());
    scene.cluster.wait_for_lines("runs", 5);
    scene.proxy.half_open();
    let _next = scene.cluster.serve();
    scene.assert_guarantees(&id);
    // The delayed messages arrive now, and change nothing.
    scene.proxy.restore();
    let last = scene
        .cluster
        .wait(&scene.cluster.publish(&recording_spec()));
    assert_eq!(last.counts(), "60: 60 skipped");
    scene.assert_guarantees(&id);
}

#[test]
fn a_slow_line_makes_a_job_slow_and_nothing_else() {
    let scene = Scene::of(60);
    let _service = scene.cluster.serve_at(&scene.url);
    let worker = scene.cluster.worker_at(&scene.url, "made");
    eventually("it is connected", || worker.stderr().contains("consumes"));
    scene.proxy.throttle(20_000);
    let id = scene.cluster.publish(&recording_spec());
    scene.assert_guarantees(&id);
    assert_eq!(
        scene.cluster.workspace.line_count("runs"),
        60,
        "slowness let something run twice"
    );
}

#[test]
fn a_worker_whose_confirms_are_lost_reports_again_and_runs_nothing_twice() {
    let scene = Scene::of(20);
    let _service = scene.cluster.serve();
    let _worker = scene.cluster.worker_at(&scene.url, "made");
    let id = scene.cluster.publish(&gated_spec_except_first());
    scene.cluster.wait_for_lines("runs", 3);
    wait_for_processed(&scene.cluster, &id, 1);
    scene.proxy.mute();
    scene.cluster.workspace.open_gate("gate");
    // A report arrives, but its confirm is lost; reports of datums that end meanwhile wait for the connection.
    wait_for_processed(&scene.cluster, &id, 2);
    scene.break_off();
    scene.assert_guarantees(&id);
    assert_eq!(scene.cluster.workspace.line_count("runs"), 20);
}

#[test]
fn a_coordinator_whose_confirms_are_lost_publishes_again_and_each_datum_counts_once() {
    let scene = Scene::of(100);
    let _worker = scene.cluster.worker("made");
    let _service = scene.cluster.serve_at(&scene.url);
    // Confirms are still on their way when the first datum runs.
    scene.proxy.delay(Duration::from_millis(100));
    let id = scene.cluster.publish(&recording_spec());
    scene.cluster.wait_for_lines("runs", 1);
    scene.proxy.mute();
    scene.cluster.wait_for_lines("runs", 20);
    scene.break_off();
    scene.assert_guarantees(&id);
}
