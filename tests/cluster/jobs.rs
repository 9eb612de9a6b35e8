//! Jobs on the broker: published, processed by all connected workers, coordinated by any service.

use drover_tests::{Signal, Spec, TestCluster, eventually, shared};

fn copies() -> Spec {
    Spec::new("made").reads("in", "/*").sh(r#"
        echo "$PPS_POD_NAME$DROVER_WORKER" >> "$OUTSIDE/workers"; cp "$in" /pfs/out/"#)
}

#[test]
fn a_job_is_published_by_one_coordinated_by_another_and_done_by_several() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 60);
    let _service = cluster.serve();
    let _workers = [cluster.worker("made"), cluster.worker("made")];
    let id = cluster.publish(&copies());
    let job = cluster.wait(&id);
    assert_eq!(job.state(), "success", "{job:?}");
    assert_eq!(job.counts(), "60: 60 processed");
    assert_eq!(cluster.workspace.tree("made"), cluster.workspace.tree("in"));
    assert_eq!(
        cluster.workspace.line_count("workers"),
        60,
        "each datum ran once"
    );
    let again = cluster.wait(&cluster.publish(&copies()));
    assert_eq!(again.counts(), "60: 60 skipped");
}

#[test]
fn who_waits_for_a_job_coordinates_it_where_nobody_else_does() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 20);
    let _worker = cluster.worker("made");
    let job = cluster
        .start_publish_and_wait(&copies())
        .finish()
        .code(0)
        .job();
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "20: 20 processed")
    );
    assert_eq!(cluster.workspace.tree("made"), cluster.workspace.tree("in"));
}

#[test]
fn a_job_waits_for_workers_and_goes_on_when_one_comes() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 5);
    let waiting = cluster.start_publish_and_wait(&copies());
    eventually("it was told that no worker is there", || {
        let told = cluster.call(&["explain", "last"]).stdout;
        told.contains("No worker is connected") && !told.contains("No process coordinates")
    });
    let _worker = cluster.worker("made");
    assert_eq!(waiting.finish().code(0).job().counts(), "5: 5 processed");
}

#[test]
fn a_published_job_waits_for_a_coordinator_and_says_so() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 5);
    let _worker = cluster.worker("made");
    let id = cluster.publish(&copies());
    let told = cluster.call(&["explain", &id]).code(0).stdout;
    assert!(
        told.contains("No process coordinates the job: start `drover serve`"),
        "{told}"
    );
    let _service = cluster.serve();
    assert_eq!(cluster.wait(&id).state(), "success");
}

#[test]
fn run_on_the_broker_is_helped_by_whoever_is_connected() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 40);
    let _worker = cluster.worker("made");
    let slow = copies()
        .sh(r#"echo "$DROVER_WORKER" >> "$OUTSIDE/workers"; sleep 0.05; cp "$in" /pfs/out/"#);
    let spec = cluster.workspace.spec(&slow);
    let args = [
        "run",
        "--broker",
        cluster.url(),
        "--output",
        "json",
        "--workers",
        "2",
        &spec,
    ];
    let job = cluster.call(&args).code(0).job();
    assert_eq!(job.counts(), "40: 40 processed");
    assert_eq!(cluster.workspace.tally("workers").len(), 2, "both worked");
}

#[test]
fn the_variable_alone_does_not_take_a_run_to_the_cluster() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 3);
    let spec = cluster.workspace.spec(&copies());
    let job = cluster
        .call(&["run", "--output", "json", &spec])
        .code(0)
        .job();
    assert_eq!(job.counts(), "3: 3 processed", "no worker was needed");
}

#[test]
fn a_chain_published_at_once_runs_in_its_order() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 4);
    let first = cluster.workspace.spec(&copies());
    let second = cluster
        .workspace
        .spec(&Spec::new("copied").reads("made", "/*"));
    let _service = cluster.serve();
    let _workers = [cluster.worker("made"), cluster.worker("copied")];
    let ids = cluster.call(&["publish", &second, &first]).code(0).stdout;
    for id in ids.lines() {
        assert_eq!(cluster.wait(id).state(), "success");
    }
    assert_eq!(
        cluster.workspace.tree("copied"),
        cluster.workspace.tree("in")
    );
}

#[test]
fn who_waits_may_leave_and_the_job_goes_on() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 10);
    let gated = copies().sh(r#"echo >> "$OUTSIDE/started"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done; cp "$in" /pfs/out/"#);
    let _worker = cluster.worker("made");
    let mut waiting = cluster.start_publish_and_wait(&gated);
    cluster.wait_for_lines("started", 2);
    waiting.signal(Signal::SIGINT);
    let outcome = waiting.finish().code(5);
    assert!(
        outcome.stderr.contains("continues"),
        "{}",
        outcome.transcript()
    );
    let _service = cluster.serve();
    cluster.workspace.open_gate("gate");
    let job = cluster.wait("last");
    assert_eq!(
        (job.state(), job.counts().as_str()),
        ("success", "10: 10 processed")
    );
}

#[test]
fn what_failed_on_the_cluster_is_retried_there() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 6);
    let picky = copies().sh(r#"case $in in *3) [ -e "$OUTSIDE/mended" ] || { echo bad >&2; exit 7; } ;; esac; cp "$in" /pfs/out/"#);
    let _service = cluster.serve();
    let _worker = cluster.worker("made");
    let id = cluster.publish(&picky);
    let failed = cluster.wait(&id);
    assert_eq!(
        (failed.state(), failed.counts().as_str()),
        ("failure", "6: 5 processed, 1 failed")
    );
    assert!(
        failed.reason().contains("exit 7: 'bad'"),
        "{}",
        failed.reason()
    );
    let logs = cluster.call(&["logs", &id]).code(0).stdout;
    assert!(logs.contains("bad"), "{logs}");
    cluster.workspace.open_gate("mended");
    let retried = cluster
        .call(&["retry", "--broker", cluster.url(), "--output", "json", &id])
        .code(0)
        .job();
    assert_eq!(retried.counts(), "6: 1 processed, 5 skipped");
    assert_eq!(cluster.workspace.tree("made"), cluster.workspace.tree("in"));
}

#[test]
fn a_local_run_does_not_cut_into_a_job_on_the_broker() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 2);
    let id = cluster.publish(&copies());
    let spec = cluster.workspace.spec(&copies());
    let refused = cluster.call(&["run", "--output", "json", &spec]).code(2);
    let message = refused.error()["message"].to_string();
    assert!(
        message.contains(&id) && message.contains("on the broker"),
        "{message}"
    );
}

#[test]
fn a_broker_that_cannot_be_reached_is_exit_code_4_and_tells_no_password() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 1);
    let spec = cluster.workspace.spec(&copies());
    let url = "amqp://drover:hunter2@127.0.0.1:9";
    for args in [
        vec!["publish", "--broker", url, "--connect-timeout", "1s", &spec],
        vec!["run", "--broker", url, "--connect-timeout", "1s", &spec],
        vec!["serve", "--broker", url, "--connect-timeout", "1s"],
    ] {
        let outcome = cluster.workspace.call(&args).code(4);
        assert!(
            !outcome.transcript().contains("hunter2"),
            "{}",
            outcome.transcript()
        );
        assert!(
            outcome.stderr.contains("127.0.0.1:9"),
            "{}",
            outcome.transcript()
        );
    }
    let outcome = cluster.workspace.call(&["publish", &spec]).code(2);
    assert!(
        outcome.stderr.contains("--broker"),
        "{}",
        outcome.transcript()
    );
}

#[test]
fn a_command_on_a_worker_runs_in_the_trace_of_the_publisher() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 2);
    let parent = |id: &str| format!("00-0af7651916cd43dd8448eb211c80319c-{id}-01");
    let spec = copies().sh(r#"echo "$TRACEPARENT" >> "$OUTSIDE/traces""#);
    let spec = cluster.workspace.spec(&spec);
    let mut publish = cluster.command(&["publish", &spec]);
    publish.env("TRACEPARENT", parent("b7ad6b7169203331"));
    let published = cluster.workspace.start_command(publish).finish().code(0);
    let mut worker = cluster.worker_command(cluster.url(), "made", &[]);
    worker.env("TRACEPARENT", parent("0000000000000bad"));
    let _worker = cluster.workspace.start_command(worker);
    let _service = cluster.serve();
    assert_eq!(cluster.wait(published.stdout.trim()).state(), "success");
    assert_eq!(
        cluster.workspace.tally("traces"),
        [(parent("b7ad6b7169203331"), 2)].into()
    );
}

#[test]
fn without_a_quorum_the_queues_are_named_and_not_a_missing_coordinator() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 5);
    let _service = cluster.serve();
    let id = cluster.publish(&copies());
    eventually("the job is led", || cluster.job(&id).state() == "running");
    let (_, vhost) = cluster.url().rsplit_once('/').expect("a URL has a vhost");
    shared().stop_queues(vhost);
    let told = cluster.call(&["explain", &id]).code(0).stdout;
    shared().start_queues(vhost);
    assert!(told.contains("no quorum"), "{told}");
    assert!(!told.contains("No process coordinates"), "{told}");
    assert!(!told.contains("No worker is connected"), "{told}");
    let _worker = cluster.worker("made");
    assert_eq!(cluster.wait(&id).state(), "success");
}

#[test]
fn who_waits_for_a_job_is_told_what_holds_it_up() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 1);
    let id = cluster.publish(&copies());
    let wait = cluster.start(&["wait", &id]);
    eventually("it is told that nobody coordinates", || {
        wait.stderr().contains("no process coordinates made")
    });
    let _service = cluster.serve();
    eventually("it is told that no worker is connected", || {
        wait.stderr().contains("no worker of made")
    });
    let _worker = cluster.worker("made");
    wait.finish().code(0);
}
