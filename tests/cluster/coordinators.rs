//! What befalls coordinators and publishers: killed, frozen, several at once. One of them is at work at a time, and whoever
//! comes next goes on.

use drover_tests::{Herd, Random, Signal, Spec, eventually};

fn noted() -> Spec {
    Spec::new("made").reads("in", "/*").sh(r#"
        echo "$DROVER_DATUM_INDEX" >> "$OUTSIDE/runs"; sleep 0.01; cp "$in" /pfs/out/; cat "$in" > /pfs/out/all"#)
}

#[test]
fn a_coordinator_killed_at_any_moment_is_replaced_and_nothing_is_lost_or_done_twice() {
    let herd = Herd::new();
    herd.place.numbered_files("in", 150);
    let _worker = herd.worker("made");
    let mut random = Random::new(11);
    let id = herd.publish(&noted());
    for _ in 0..5 {
        let service = herd.serve();
        let enough = herd.place.told("runs") + usize::try_from(random.below(25)).unwrap();
        eventually("some commands ran", || {
            herd.place.told("runs") >= enough.min(150)
        });
        service.kill();
    }
    let _service = herd.serve();
    let job = herd.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "150: 150 processed")
    );
    let runs = herd.place.told("runs");
    assert!(
        runs <= 150 + 5 * 2,
        "{runs} runs: only what ran beside a repetition may run twice"
    );
    let expected: Vec<_> = (0..150).map(|number| format!("{number}\n")).collect();
    assert_eq!(
        std::fs::read_to_string(herd.place.path("made/all")).unwrap(),
        expected.concat()
    );
}

#[test]
fn a_coordinator_killed_while_one_group_is_retried_is_replaced_and_other_failures_stay() {
    let herd = Herd::new();
    herd.place.numbered_files("in", 150);
    let _worker = herd.worker("made");
    let picky = Spec::new("made").reads("in", "/*").sh(r#"
        [ -e "$OUTSIDE/mended" ] || case $in in *[3-9]) exit 7 ;; *2) exit 8 ;; esac
        echo "$in" >> "$OUTSIDE/runs"; sleep 0.02; cp "$in" /pfs/out/"#);
    let service = herd.serve();
    let failed = herd.publish(&picky);
    let counts = herd.wait(&failed).counts();
    assert_eq!(counts, "150: 30 processed, 120 failed");
    service.kill();
    herd.place.open_gate("mended");
    let told = herd.call(&["job", &failed]).code(0).stdout;
    let command = told
        .lines()
        .find(|line| line.starts_with("only one cause:"));
    let key = command
        .and_then(|line| line.split_once("--group "))
        .expect("the largest group is named")
        .1;
    let key = key.split(' ').next().unwrap_or_default();
    let mut random = Random::new(5);
    let retry = herd.start(&["retry", "--broker", herd.url(), "--group", key, &failed]);
    herd.told("runs", 35);
    retry.kill();
    for _ in 0..3 {
        let service = herd.serve();
        let enough = herd.place.told("runs") + usize::try_from(random.below(15)).unwrap();
        herd.told("runs", enough.min(135));
        service.kill();
    }
    let _service = herd.serve();
    let jobs = herd
        .call(&["jobs", "--output", "json", "--limit", "1"])
        .code(0)
        .lines();
    let job = herd.wait(jobs[0]["job"].as_str().expect("a job has an id"));
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("failure", "150: 105 processed, 30 skipped, 15 failed")
    );
    let noted = std::fs::read_to_string(herd.place.outside("runs")).unwrap();
    let others = noted.lines().skip(30).filter(|line| line.ends_with('2'));
    assert_eq!(others.count(), 0, "other failures were run");
}

#[test]
fn of_several_coordinators_one_works_and_when_it_is_killed_another_one_does() {
    let herd = Herd::new();
    herd.place.numbered_files("in", 100);
    let services = [herd.serve(), herd.serve(), herd.serve()];
    let _worker = herd.worker("made");
    let id = herd.publish(&noted());
    for service in services.into_iter().take(2) {
        let enough = (herd.place.told("runs") + 20).min(100);
        herd.told("runs", enough);
        service.kill();
    }
    let _last = herd.serve();
    let job = herd.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "100: 100 processed")
    );
}

#[test]
fn a_frozen_coordinator_that_wakes_writes_nothing_more() {
    let herd = Herd::new();
    herd.place.numbered_files("in", 40);
    let url = format!("{}?heartbeat=1", herd.url());
    let mut frozen = herd.start(&["serve", "--broker", &url]);
    let _worker = herd.worker("made");
    let gated = noted().sh(r#"
        echo >> "$OUTSIDE/runs"
        case $DROVER_DATUM_INDEX in 39) while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done ;; esac
        cp "$in" /pfs/out/"#);
    let id = herd.publish(&gated);
    herd.told("runs", 40);
    frozen.signal(Signal::SIGSTOP);
    let _next = herd.serve();
    herd.place.open_gate("gate");
    let job = herd.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "40: 40 processed")
    );
    // Another job changes the output before the frozen one wakes.
    herd.place.remove("in/007");
    let later = herd.wait(&herd.publish(&gated));
    assert_eq!(later.counts(), "39: 39 skipped");
    frozen.signal(Signal::SIGCONT);
    eventually("the frozen one noticed", || {
        frozen.stderr().contains("another process") || frozen.stderr().contains("lost")
    });
    let last = herd.wait(&herd.publish(&gated));
    assert_eq!(last.counts(), "39: 39 skipped");
    assert_eq!(herd.job(&id).0, job.0, "the record changed after the end");
    assert_eq!(herd.place.tree("made"), herd.place.tree("in"));
}

#[test]
fn a_publisher_killed_at_any_moment_leaves_a_whole_job_or_none() {
    let herd = Herd::new();
    herd.place.numbered_files("in", 30);
    let _service = herd.serve();
    let _worker = herd.worker("made");
    for round in 0..6 {
        let publisher = herd.start_publish_and_wait(&noted());
        let enough = round * 5;
        eventually("it came so far", || herd.place.told("runs") >= enough);
        publisher.kill();
    }
    let job = herd.wait(&herd.publish(&noted()));
    assert_eq!(job.state(), "success");
    let jobs = herd.call(&["jobs", "--output", "json"]).code(0);
    for job in jobs.lines() {
        assert_eq!(job["state"], "success", "{job}");
    }
    assert!(herd.place.told("runs") <= 32, "{}", herd.place.told("runs"));
}
