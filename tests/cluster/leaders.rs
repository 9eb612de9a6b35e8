//! Several candidates for the leadership of a pipeline: whatever is cut or frozen, and whenever, the manifest of a job is
//! one sequence, each datum counts once, and the output folder is that of the newest successful job.

use std::thread::sleep;
use std::time::{Duration, Instant};

use drover_tests::{Proxy, Random, Running, Signal, Spec, TestCluster, shared};
use serde_json::json;

/// Files on each side of the cross.
const SIDE: usize = 30;

/// Times that all connections are cut while a job is expanded.
const CUTS: u64 = 25;

/// Longer than the broker takes to notice the loss of a process that sends a heartbeat a second.
const FREEZE: Duration = Duration::from_secs(5);

/// Each datum adds a line to a file that all share.
fn crossing_spec() -> Spec {
    Spec::new("made")
        .set(
            "input",
            json!({ "cross": [
                { "pfs": { "repo": "rows", "glob": "/*", "name": "row" } },
                { "pfs": { "repo": "columns", "glob": "/*", "name": "column" } },
            ] }),
        )
        .sh(r#"echo "$DROVER_DATUM_INDEX" > /pfs/out/all"#)
}

fn output_lines(cluster: &TestCluster) -> usize {
    let all = std::fs::read_to_string(cluster.workspace.path("made/all"));
    all.expect("the job wrote its output").lines().count()
}

fn expand_while_connections_are_cut(services: u8) {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("rows", SIDE);
    cluster.workspace.numbered_files("columns", SIDE / 2);
    let proxy = Proxy::to(shared().port());
    let way = proxy.way_to(cluster.url());
    let _services: Vec<Running> = (0..services).map(|_| cluster.serve_at(&way)).collect();
    let _worker = cluster.worker("made");
    // Half of the work is done before, so the job of the cuts skips and runs in turns.
    let first = cluster.wait(&cluster.publish(&crossing_spec()));
    assert_eq!(first.state(), "success", "{first:?}");
    cluster.workspace.numbered_files("columns", SIDE);
    let id = cluster.publish(&crossing_spec());
    let mut random = Random::new(u64::from(services));
    for _ in 0..CUTS {
        sleep(Duration::from_millis(random.below(40)));
        proxy.cut();
        proxy.restore();
    }
    let (all, half) = (SIDE * SIDE, SIDE * SIDE / 2);
    let job = cluster.wait(&id);
    assert_eq!(
        (job.state(), job.counts()),
        (
            "success",
            format!("{all}: {half} processed, {half} skipped")
        ),
        "{job:?}"
    );
    assert_eq!(output_lines(&cluster), all, "lines of the output");
    let datums = cluster.call(&["datums", &id, "--output", "json"]).code(0);
    assert_eq!(datums.lines().len(), all, "datums of the manifest");
    let again = cluster.wait(&cluster.publish(&crossing_spec()));
    assert_eq!(
        (again.state(), again.counts()),
        ("success", format!("{all}: {all} skipped")),
        "{again:?}"
    );
}

#[test]
fn an_expansion_of_two_services_whose_connections_are_cut_is_one_sequence() {
    expand_while_connections_are_cut(2);
}

#[test]
fn an_expansion_of_three_services_whose_connections_are_cut_is_one_sequence() {
    expand_while_connections_are_cut(3);
}

#[test]
fn services_frozen_at_random_moments_for_longer_than_the_heartbeat_hurt_no_job() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 300);
    let way = format!("{}?heartbeat=1", cluster.url());
    let mut services = [cluster.serve_at(&way), cluster.serve_at(&way)];
    let _worker = cluster.worker("made");
    let copy = Spec::new("made")
        .reads("in", "/*")
        .cmd(&["cp", "-r", "/pfs/in/.", "/pfs/out"]);
    let first = cluster.wait(&cluster.publish(&copy));
    assert_eq!(first.state(), "success", "{first:?}");
    let mut random = Random::new(17);
    for round in 0..4 {
        for file in 0..100 {
            let changed = format!("in/{:03}", 100 * (round % 3) + file);
            cluster.workspace.file(&changed, format!("round {round}\n"));
        }
        let id = cluster.publish(&copy);
        sleep(Duration::from_millis(random.below(1_000)));
        let service = &mut services[random.index(2)];
        service.signal(Signal::SIGSTOP);
        // A frozen process that holds the lock of the publication holds the others up, so it wakes in any case.
        let begun = Instant::now();
        while begun.elapsed() < FREEZE && cluster.job(&id).state() != "success" {
            sleep(Duration::from_millis(50));
        }
        service.signal(Signal::SIGCONT);
        let job = cluster.wait(&id);
        assert_eq!(
            (job.state(), job.counts().as_str()),
            ("success", "300: 100 processed, 200 skipped"),
            "{job:?}"
        );
    }
    let last = cluster.wait(&cluster.publish(&copy));
    assert_eq!(last.counts(), "300: 300 skipped");
    assert_eq!(cluster.workspace.tree("made"), cluster.workspace.tree("in"));
}
