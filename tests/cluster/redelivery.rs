//! From the kill of a worker to the next run of its datum, on a worker that is idle.

use std::thread::sleep;
use std::time::Duration;

use drover_tests::{Running, Spec, TestCluster, eventually};
use jiff::Timestamp;

/// The usual time is 0.06 s; the rest is for a machine that is busy with other tests.
const DEADLINE: Duration = Duration::from_secs(3);

#[test]
fn what_a_killed_worker_ran_begins_at_once_on_an_idle_one_however_long_it_takes() {
    for (seconds, moment) in [(1, 0.5), (8, 4.0)] {
        let [redelivery] = redeliveries(seconds, Duration::from_secs_f64(moment));
        assert!(redelivery < DEADLINE, "{redelivery:?} for {seconds} s");
    }
}

#[test]
#[ignore = "takes two minutes; prints figures"]
fn figures() {
    for (seconds, moment) in [(1, 0.3), (2, 1.0), (8, 4.0)] {
        let mut times: [Duration; 9] = redeliveries(seconds, Duration::from_secs_f64(moment));
        times.sort();
        eprintln!(
            "datums of {seconds} s: median {:.0?}, max {:.0?}",
            times[4], times[8]
        );
    }
}

/// The times of so many kills, each of the worker that runs the only datum of a job, at a moment of the run.
fn redeliveries<const KILLS: usize>(seconds: u32, moment: Duration) -> [Duration; KILLS] {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 1);
    let _service = cluster.serve();
    let spec = Spec::new("made").reads("in", "/*").sh(&format!(
        r#"echo "$DROVER_WORKER $(date +%s.%N)" >> "$OUTSIDE/begins"; exec sleep {seconds}"#
    ));
    let spec = spec.set("reprocess_spec", "every_job");
    let mut workers = vec![consuming(&cluster)];
    let mut begun = 0;
    std::array::from_fn(|_| {
        workers.push(consuming(&cluster));
        let id = cluster.publish(&spec);
        cluster.wait_for_lines("begins", begun + 1);
        sleep(moment);
        let (name, _) = last_begin(&cluster);
        let at = workers.iter().position(|worker| is(worker, &name));
        let killed_at = now();
        workers
            .remove(at.expect("the worker is one of them"))
            .kill();
        cluster.wait_for_lines("begins", begun + 2);
        begun += 2;
        let (_, begun_at) = last_begin(&cluster);
        cluster.call(&["stop", &id]).code(0);
        Duration::from_secs_f64(begun_at - killed_at)
    })
}

/// A worker of one slot that has subscribed.
fn consuming(cluster: &TestCluster) -> Running {
    let worker = cluster.worker_with("made", &["--slots", "1"]);
    eventually("it is subscribed", || worker.stderr().contains("consumes"));
    worker
}

fn is(worker: &Running, name: &str) -> bool {
    worker.stderr().contains(&format!("worker {name} consumes"))
}

/// The worker and the time of the last begin.
fn last_begin(cluster: &TestCluster) -> (String, f64) {
    let path = cluster.workspace.outside("begins");
    let begins = std::fs::read_to_string(path).expect("commands tell their begins");
    let last = begins.lines().last().expect("a line");
    let (name, at) = last.split_once(' ').expect("two words");
    (name.to_owned(), at.parse().expect("a time"))
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = Timestamp::now().duration_since(Timestamp::UNIX_EPOCH);
    since.as_secs_f64()
}
