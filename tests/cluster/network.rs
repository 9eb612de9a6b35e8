//! The network between the broker and a worker or a coordinator: cut, half-open, slow, or without answers.

use std::time::Duration;

use drover_tests::{Herd, Proxy, eventually, shared};

use crate::promise::{gated, gated_but_the_first, hears_of, is_kept, noted};

/// A job of `count` datums on a herd with a spoiled network ahead.
struct Scene {
    herd: Herd,
    proxy: Proxy,
    /// The broker by way of the proxy.
    url: String,
    count: usize,
}

impl Scene {
    fn of(count: usize) -> Self {
        let herd = Herd::new();
        herd.place.numbered_files("in", count);
        let proxy = Proxy::to(shared().port());
        let url = proxy.way_to(herd.url());
        Self {
            herd,
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
    fn is_kept(&self, id: &str) {
        is_kept(&self.herd, id, self.count);
    }
}

#[test]
fn a_worker_whose_connection_is_cut_goes_on_and_runs_nothing_twice() {
    let scene = Scene::of(20);
    let _service = scene.herd.serve();
    let worker = scene.herd.worker_at(&scene.url, "made");
    let id = scene.herd.publish(&gated());
    scene.herd.told("runs", 2);
    scene.break_off();
    eventually("it is connected again", || {
        worker.stderr().contains("was resumed after")
    });
    scene.herd.place.open_gate("gate");
    scene.is_kept(&id);
    assert_eq!(scene.herd.place.told("runs"), 20);
}

#[test]
fn a_worker_that_is_cut_off_for_good_loses_its_datums_to_another_and_commits_none_of_them_twice() {
    let scene = Scene::of(20);
    let _service = scene.herd.serve();
    let _cut_off = scene.herd.worker_at(&scene.url, "made");
    let id = scene.herd.publish(&gated());
    scene.herd.told("runs", 2);
    scene.proxy.cut();
    let _other = scene.herd.worker("made");
    scene.herd.told("runs", 4);
    scene.herd.place.open_gate("gate");
    scene.is_kept(&id);
    scene.proxy.restore();
}

#[test]
fn a_worker_behind_a_dead_line_loses_its_datums_after_three_heartbeats() {
    let scene = Scene::impatient(12);
    let _service = scene.herd.serve();
    let _deaf = scene.herd.worker_at(&scene.url, "made");
    let id = scene.herd.publish(&gated());
    scene.herd.told("runs", 2);
    scene.proxy.half_open();
    let _other = scene.herd.worker("made");
    scene.herd.told("runs", 4);
    scene.herd.place.open_gate("gate");
    scene.is_kept(&id);
    scene.break_off();
}

#[test]
fn a_coordinator_whose_connection_is_cut_goes_on() {
    let scene = Scene::of(120);
    let mut service = scene.herd.serve_at(&scene.url);
    let _worker = scene.herd.worker("made");
    let id = scene.herd.publish(&noted());
    for runs in [10, 40, 70] {
        scene.herd.told("runs", runs);
        scene.break_off();
    }
    scene.is_kept(&id);
    assert!(!service.has_ended(), "{}", service.stderr());
}

#[test]
fn a_coordinator_behind_a_dead_line_is_replaced_after_three_heartbeats() {
    let scene = Scene::impatient(60);
    let _deaf = scene.herd.serve_at(&scene.url);
    let _worker = scene.herd.worker("made");
    let id = scene.herd.publish(&noted());
    scene.herd.told("runs", 5);
    scene.proxy.half_open();
    let _next = scene.herd.serve();
    scene.is_kept(&id);
    // What was held up arrives now, and changes nothing.
    scene.proxy.restore();
    let last = scene.herd.wait(&scene.herd.publish(&noted()));
    assert_eq!(last.counts(), "60: 60 skipped");
    scene.is_kept(&id);
}

#[test]
fn a_slow_line_makes_a_job_slow_and_nothing_else() {
    let scene = Scene::of(60);
    let _service = scene.herd.serve_at(&scene.url);
    let worker = scene.herd.worker_at(&scene.url, "made");
    eventually("it is connected", || {
        worker.stderr().contains("takes datums")
    });
    scene.proxy.throttle(20_000);
    let id = scene.herd.publish(&noted());
    scene.is_kept(&id);
    assert_eq!(
        scene.herd.place.told("runs"),
        60,
        "slowness let something run twice"
    );
}

#[test]
fn a_worker_whose_confirms_are_lost_reports_again_and_runs_nothing_twice() {
    let scene = Scene::of(20);
    let _service = scene.herd.serve();
    let _worker = scene.herd.worker_at(&scene.url, "made");
    let id = scene.herd.publish(&gated_but_the_first());
    scene.herd.told("runs", 3);
    hears_of(&scene.herd, &id, 1);
    scene.proxy.mute();
    scene.herd.place.open_gate("gate");
    // A report arrives, but it does not learn of that; what ends meanwhile waits for the road.
    hears_of(&scene.herd, &id, 2);
    scene.break_off();
    scene.is_kept(&id);
    assert_eq!(scene.herd.place.told("runs"), 20);
}

#[test]
fn a_coordinator_whose_confirms_are_lost_publishes_again_and_each_datum_counts_once() {
    let scene = Scene::of(100);
    let _worker = scene.herd.worker("made");
    let _service = scene.herd.serve_at(&scene.url);
    // Confirms are still on their way when the first datum runs.
    scene.proxy.delay(Duration::from_millis(100));
    let id = scene.herd.publish(&noted());
    scene.herd.told("runs", 1);
    scene.proxy.mute();
    scene.herd.told("runs", 20);
    scene.break_off();
    scene.is_kept(&id);
}
