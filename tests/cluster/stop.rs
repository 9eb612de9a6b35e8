//! `drover stop` reaches all workers at once.

use drover_tests::{Spec, TestCluster, eventually, shared};

/// Runs until killed.
fn endless() -> Spec {
    Spec::new("made")
        .reads("in", "/*")
        .sh(r#"echo $$ >> "$OUTSIDE/started"; while :; do sleep 0.05; done"#)
}

#[test]
fn a_stopped_job_ends_on_every_worker_and_the_next_one_begins() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 20);
    let _service = cluster.serve();
    let _workers = [cluster.worker("made"), cluster.worker("made")];
    let id = cluster.publish(&endless());
    cluster.wait_for_lines("started", 4);
    let outcome = cluster.call(&["stop", "--output", "json", &id]).code(0);
    let job = outcome.job();
    assert_eq!(
        (job.state(), job.reason()),
        ("killed", "stopped on request")
    );
    eventually("no command of it ran any more", || {
        let processes = cluster.workspace.processes();
        !processes
            .iter()
            .any(|process| process.contains("sleep 0.05"))
    });
    assert_eq!(
        cluster.workspace.line_count("started"),
        4,
        "nothing new was begun"
    );
    let next = Spec::new("made").reads("in", "/*");
    assert_eq!(
        cluster.wait(&cluster.publish(&next)).counts(),
        "20: 20 processed"
    );
}

#[test]
fn a_job_that_nobody_coordinates_can_be_stopped() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 3);
    let id = cluster.publish(&endless());
    let job = cluster
        .call(&["stop", "--output", "json", &id])
        .code(0)
        .job();
    assert_eq!(job.state(), "killed");
}

#[test]
fn a_stop_takes_effect_while_neither_a_broker_nor_a_coordinator_is_there() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 3);
    let id = cluster.publish(&endless());
    let away = "amqp://guest:s3cret@127.0.0.1:1/none";
    let stop = [
        "stop",
        "--broker",
        away,
        "--connect-timeout",
        "1s",
        "--output",
        "json",
        &id,
    ];
    let outcome = cluster.call(&stop).code(0);
    assert_eq!(outcome.job().state(), "killed");
    assert!(!outcome.stderr.contains("s3cret"), "{}", outcome.stderr);
    // And the next job is not held up by the stopped one.
    let _service = cluster.serve();
    let _worker = cluster.worker("made");
    let next = cluster.publish(&Spec::new("made").reads("in", "/*"));
    assert_eq!(cluster.wait(&next).counts(), "3: 3 processed");
}

/// The command waits for a coordinator for 20 s before it ends the job, which is what the test takes.
#[test]
fn a_stop_takes_effect_without_a_quorum_and_without_a_coordinator() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 3);
    // A worker declares the queues.
    let worker = cluster.worker("made");
    let id = cluster.publish(&endless());
    eventually("it is subscribed", || worker.stderr().contains("consumes"));
    worker.kill();
    let (_, vhost) = cluster.url().rsplit_once('/').expect("a URL has a vhost");
    shared().stop_queues(vhost);
    let stopped = cluster.call(&["stop", "--output", "json", &id]);
    shared().start_queues(vhost);
    assert_eq!(stopped.code(0).job().state(), "killed");
}

#[test]
fn a_repeated_publish_with_a_key_prints_the_first_id_and_submits_nothing() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 3);
    let spec = cluster.workspace.spec(&Spec::new("made").reads("in", "/*"));
    let publish = |key: &str| {
        let outcome = cluster.call(&["publish", "--key", key, &spec]).code(0);
        outcome.stdout.trim().to_owned()
    };
    let first = publish("night-1");
    assert_eq!(publish("night-1"), first);
    assert_ne!(publish("night-2"), first);
    assert_eq!(cluster.call(&["jobs", "--output", "json"]).lines().len(), 2);
    cluster
        .call(&["publish", "--key", "no spaces", &spec])
        .code(2);
}

#[test]
fn job_timeout_ends_a_job_on_the_cluster() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 3);
    let _service = cluster.serve();
    let _worker = cluster.worker("made");
    let job = cluster.wait(&cluster.publish(&endless().set("job_timeout", "1s")));
    assert_eq!(job.state(), "killed");
    assert!(job.reason().contains("job_timeout"), "{}", job.reason());
}
