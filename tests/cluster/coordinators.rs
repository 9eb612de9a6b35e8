//! Faults of coordinators and publishers: killed, frozen, several at once. One leader is at work at a time, and the
//! next leader continues.

use drover_tests::{Random, Signal, Spec, TestCluster, eventually};

fn recording_spec() -> Spec {
    Spec::new("made").reads("in", "/*").sh(r#"
        echo "$DROVER_DATUM_INDEX" >> "$OUTSIDE/runs"; sleep 0.01; cp "$in" /pfs/out/; cat "$in" > /pfs/out/all"#)
}

#[test]
fn a_coordinator_killed_at_any_moment_is_replaced_and_nothing_is_lost_or_done_twice() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 150);
    let _worker = cluster.worker("made");
    let mut random = Random::new(11);
    let id = cluster.publish(&recording_spec());
    for _ in 0..5 {
        let service = cluster.serve();
        let enough =
            cluster.workspace.line_count("runs") + usize::try_from(random.below(25)).unwrap();
        eventually("some commands ran", || {
            cluster.workspace.line_count("runs") >= enough.min(150)
        });
        service.kill();
    }
    let _service = cluster.serve();
    let job = cluster.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "150: 150 processed")
    );
    let runs = cluster.workspace.line_count("runs");
    assert!(
        runs <= 150 + 5 * 2,
        "{runs} runs: only what ran beside a repetition may run twice"
    );
    let expected: Vec<_> = (0..150).map(|number| format!("{number}\n")).collect();
    assert_eq!(
        std::fs::read_to_string(cluster.workspace.path("made/all")).unwrap(),
        expected.concat()
    );
}

#[test]
fn a_coordinator_killed_while_one_group_is_retried_is_replaced_and_other_failures_stay() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 150);
    let _worker = cluster.worker("made");
    let picky = Spec::new("made").reads("in", "/*").sh(r#"
        [ -e "$OUTSIDE/mended" ] || case $in in *[3-9]) exit 7 ;; *2) exit 8 ;; esac
        echo "$in" >> "$OUTSIDE/runs"; sleep 0.02; cp "$in" /pfs/out/"#);
    let service = cluster.serve();
    let failed = cluster.publish(&picky);
    let counts = cluster.wait(&failed).counts();
    assert_eq!(counts, "150: 30 processed, 120 failed");
    service.kill();
    cluster.workspace.open_gate("mended");
    let told = cluster.call(&["job", &failed]).code(0).stdout;
    let command = told
        .lines()
        .find(|line| line.starts_with("only one cause:"));
    let key = command
        .and_then(|line| line.split_once("--group "))
        .expect("the largest group is named")
        .1;
    let key = key.split(' ').next().unwrap_or_default();
    let mut random = Random::new(5);
    let retry = cluster.start(&["retry", "--broker", cluster.url(), "--group", key, &failed]);
    cluster.wait_for_lines("runs", 35);
    retry.kill();
    for _ in 0..3 {
        let service = cluster.serve();
        let enough =
            cluster.workspace.line_count("runs") + usize::try_from(random.below(15)).unwrap();
        cluster.wait_for_lines("runs", enough.min(135));
        service.kill();
    }
    let _service = cluster.serve();
    let jobs = cluster
        .call(&["jobs", "--output", "json", "--limit", "1"])
        .code(0)
        .lines();
    let job = cluster.wait(jobs[0]["job"].as_str().expect("a job has an id"));
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("failure", "150: 105 processed, 30 skipped, 15 failed")
    );
    let noted = std::fs::read_to_string(cluster.workspace.outside("runs")).unwrap();
    let others = noted.lines().skip(30).filter(|line| line.ends_with('2'));
    assert_eq!(others.count(), 0, "other failures were run");
}

#[test]
fn of_several_coordinators_one_works_and_when_it_is_killed_another_one_does() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 100);
    let services = [cluster.serve(), cluster.serve(), cluster.serve()];
    let _worker = cluster.worker("made");
    let id = cluster.publish(&recording_spec());
    for service in services.into_iter().take(2) {
        let enough = (cluster.workspace.line_count("runs") + 20).min(100);
        cluster.wait_for_lines("runs", enough);
        service.kill();
    }
    let _last = cluster.serve();
    let job = cluster.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "100: 100 processed")
    );
}

#[test]
fn a_frozen_coordinator_that_wakes_writes_nothing_more() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 40);
    let url = format!("{}?heartbeat=1", cluster.url());
    let mut frozen = cluster.start(&["serve", "--broker", &url]);
    let _worker = cluster.worker("made");
    let gated = recording_spec().sh(r#"
        echo >> "$OUTSIDE/runs"
        case $DROVER_DATUM_INDEX in 39) while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done ;; esac
        cp "$in" /pfs/out/"#);
    let id = cluster.publish(&gated);
    cluster.wait_for_lines("runs", 40);
    frozen.signal(Signal::SIGSTOP);
    let _next = cluster.serve();
    cluster.workspace.open_gate("gate");
    let job = cluster.wait(&id);
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "40: 40 processed")
    );
    // A second job changes the output before the frozen leader wakes.
    cluster.workspace.remove("in/007");
    let later = cluster.wait(&cluster.publish(&gated));
    assert_eq!(later.counts(), "39: 39 skipped");
    frozen.signal(Signal::SIGCONT);
    eventually("the frozen one noticed", || {
        frozen.stderr().contains("another process") || frozen.stderr().contains("lost")
    });
    let last = cluster.wait(&cluster.publish(&gated));
    assert_eq!(last.counts(), "39: 39 skipped");
    assert_eq!(
        cluster.job(&id).0,
        job.0,
        "the record changed after the end"
    );
    assert_eq!(cluster.workspace.tree("made"), cluster.workspace.tree("in"));
}

#[test]
fn a_publisher_killed_at_any_moment_leaves_a_whole_job_or_none() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 30);
    let _service = cluster.serve();
    let _worker = cluster.worker("made");
    for round in 0..6 {
        let publisher = cluster.start_publish_and_wait(&recording_spec());
        let enough = round * 5;
        eventually("it came so far", || {
            cluster.workspace.line_count("runs") >= enough
        });
        publisher.kill();
    }
    let job = cluster.wait(&cluster.publish(&recording_spec()));
    assert_eq!(job.state(), "success");
    let jobs = cluster.call(&["jobs", "--output", "json"]).code(0);
    for job in jobs.lines() {
        assert_eq!(job["state"], "success", "{job}");
    }
    assert!(
        cluster.workspace.line_count("runs") <= 32,
        "{}",
        cluster.workspace.line_count("runs")
    );
}
