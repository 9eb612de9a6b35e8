//! What befalls workers: killed, frozen, drained. Nothing is lost, nothing is committed twice, no innocent fails.

use std::time::{Duration, Instant};

use drover_tests::{Herd, Proxy, Running, Signal, Spec, eventually, files, shared};

/// Says that it started, waits for the gate, says that it ended, and copies its input.
fn gated() -> Spec {
    Spec::new("made").reads("in", "/*").sh(r#"
        echo "$DROVER_DATUM_INDEX" >> "$OUTSIDE/started"
        while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done
        echo "$DROVER_DATUM_INDEX" >> "$OUTSIDE/ended"; cp "$in" /pfs/out/"#)
}

/// A job of `count` datums, coordinated, with a worker whose two slots are busy.
fn busy(count: usize, spec: &Spec) -> (Herd, Running, Running, String) {
    let herd = Herd::new();
    herd.place.numbered_files("in", count);
    let service = herd.serve();
    let worker = herd.worker("made");
    let id = herd.publish(spec);
    herd.told("started", 2);
    (herd, service, worker, id)
}

#[test]
fn what_a_killed_worker_ran_runs_elsewhere_within_a_second() {
    let (herd, _service, worker, id) = busy(10, &gated());
    let _survivor = herd.worker("made");
    herd.told("started", 4);
    let before = herd.place.told("started");
    let killed = Instant::now();
    worker.kill();
    herd.place.open_gate("gate");
    // Whatever the dead one ran must begin again.
    let job = herd.wait(&id);
    assert!(killed.elapsed() < Duration::from_secs(60));
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "10: 10 processed")
    );
    assert_eq!(
        herd.place.told("started"),
        12.max(before),
        "two datums began twice"
    );
    assert_eq!(herd.place.tree("made"), herd.place.tree("in"));
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
    let (herd, _service, worker, id) = busy(20, &stays.set("transform.datum_batching", true));
    herd.told("waiting", 2);
    worker.kill();
    let mut drained = herd.worker("made");
    herd.told("waiting", 4);
    drained.signal(Signal::SIGTERM);
    let _survivor = herd.worker("made");
    herd.told("waiting", 6);
    assert!(!drained.has_ended(), "it waits for what it runs");
    herd.place.open_gate("gate");
    drained.finish().code(0);
    let job = herd.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "20: 20 processed")
    );
    assert_eq!(herd.place.tree("made"), herd.place.tree("in"));
}

#[test]
fn a_drained_worker_finishes_what_runs_and_hands_the_rest_back_uncounted() {
    let (herd, _service, mut worker, id) = busy(10, &gated());
    worker.signal(Signal::SIGTERM);
    let _next = herd.worker("made");
    herd.told("started", 4);
    assert!(!worker.has_ended(), "it waits for what it runs");
    herd.place.open_gate("gate");
    worker.finish().code(0);
    let job = herd.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "10: 10 processed")
    );
    assert_eq!(herd.place.told("started"), 10, "nothing began twice");
}

#[test]
fn a_worker_whose_grace_is_over_gives_up_what_runs_and_no_attempt_is_charged() {
    let herd = Herd::new();
    herd.place.numbered_files("in", 4);
    let _service = herd.serve();
    let mut worker = herd.worker_with(
        "made",
        &["--slots", "2", "--grace", "200ms", "--term-grace", "200ms"],
    );
    let id = herd.publish(&gated().set("datum_tries", 1));
    herd.told("started", 2);
    worker.signal(Signal::SIGTERM);
    worker.finish().code(3);
    let _next = herd.worker("made");
    herd.place.open_gate("gate");
    let job = herd.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "4: 4 processed")
    );
}

#[test]
fn a_second_signal_cuts_a_worker_short() {
    let (herd, _service, mut worker, id) = busy(3, &gated());
    worker.signal(Signal::SIGTERM);
    eventually("the signal was heard", || {
        worker.stderr().contains("drain") || worker.has_ended()
    });
    worker.signal(Signal::SIGTERM);
    worker.finish().code(3);
    let _next = herd.worker("made");
    herd.place.open_gate("gate");
    assert_eq!(herd.wait(&id).counts(), "3: 3 processed");
}

#[test]
fn a_frozen_worker_that_wakes_can_neither_commit_nor_overwrite() {
    let herd = Herd::new();
    herd.place.numbered_files("in", 4);
    let _service = herd.serve();
    let url = format!("{}?heartbeat=1", herd.url());
    let frozen = herd.worker_command(&url, "made", &["--slots", "2"]);
    let mut frozen = herd.place.start_command(frozen);
    let spec = gated().sh(r#"
        echo "$DROVER_DATUM_INDEX" >> "$OUTSIDE/started"
        while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done
        echo "$DROVER_WORKER" > "/pfs/out/$DROVER_DATUM_INDEX"; echo "$DROVER_WORKER" >> "$OUTSIDE/ended""#);
    let id = herd.publish(&spec);
    herd.told("started", 2);
    frozen.signal(Signal::SIGSTOP);
    let _survivor = herd.worker("made");
    // After three heartbeats the broker gives what it held to the survivor.
    herd.told("started", 4);
    herd.place.open_gate("gate");
    let job = herd.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "4: 4 processed")
    );
    let made = herd.place.tree("made");
    frozen.signal(Signal::SIGCONT);
    // It ends its commands, loses every commit, and takes part again.
    herd.told("ended", 6);
    let again = herd.wait(&herd.publish(&spec));
    assert_eq!(again.counts(), "4: 4 skipped");
    assert_eq!(
        herd.place.tree("made"),
        made,
        "a zombie wrote into the output"
    );
}

#[test]
fn of_two_workers_with_one_datum_the_first_to_commit_has_done_it() {
    let herd = Herd::new();
    herd.place.numbered_files("in", 1);
    let _service = herd.serve();
    let proxy = Proxy::to(shared().port());
    let _cut_off = herd.worker_at(&proxy.way_to(herd.url()), "made");
    let spec = Spec::new("made").reads("in", "/*").sh(r#"
        if mkdir "$OUTSIDE/begun"; then me=first; else me=second; fi; echo >> "$OUTSIDE/started"
        while [ ! -e "$OUTSIDE/gate-$me" ]; do sleep 0.01; done; echo $me > /pfs/out/who"#);
    let id = herd.publish(&spec);
    herd.told("started", 1);
    proxy.cut();
    let _other = herd.worker("made");
    herd.told("started", 2);
    herd.place.open_gate("gate-first");
    let commits = format!(".drover/jobs/{id}/commits/{:017}", 0);
    let commit = herd.place.path(&format!("{commits}/{:020}.json", 0));
    eventually("the first one committed", || commit.exists());
    herd.place.open_gate("gate-second");
    assert_eq!(herd.wait(&id).counts(), "1: 1 processed");
    assert_eq!(herd.place.tree("made"), files([("who", "first\n")]));
}

#[test]
fn a_worker_that_holds_many_short_datums_counts_as_one_and_loses_none_when_killed() {
    let herd = Herd::new();
    herd.place.numbered_files("in", 2_000);
    let _service = herd.serve();
    let worker = herd.worker_with("made", &["--slots", "1", "--log", "drover_worker=debug"]);
    let id = herd.publish(&Spec::new("made").reads("in", "/*").cmd(&["/bin/true"]));
    eventually("it holds more", || worker.stderr().contains("Further"));
    eventually("it counts as one", || {
        let explained = herd.call(&["explain", &id]).code(0).stdout;
        explained.contains("1 worker is connected")
    });
    worker.kill();
    let _survivor = herd.worker("made");
    let job = herd.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "2000: 2000 processed")
    );
}
