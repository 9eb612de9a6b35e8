//! One fleet for several pipelines: workers for any pipeline, and whose datum is next.

use drover_tests::{Spec, TestCluster};

/// Notes the name of the pipeline, and takes a moment.
const NOTE: &str = "echo $PPS_PIPELINE_NAME >> $OUTSIDE/begun; sleep 0.1";

/// The pipelines of the datums that have begun, in their order.
fn begun(cluster: &TestCluster) -> Vec<String> {
    let text = std::fs::read_to_string(cluster.workspace.outside("begun")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn workers_for_any_pipeline_begin_a_few_datums_at_once_beside_many() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("many", 300);
    cluster.workspace.numbered_files("few", 3);
    let _service = cluster.serve();
    let _workers = [cluster.worker("*"), cluster.worker("{large,sm*}")];
    let large = cluster.publish(&Spec::new("large").reads("many", "/*").sh(NOTE));
    cluster.wait_for_lines("begun", 20);
    let small = cluster.publish(&Spec::new("small").reads("few", "/*").sh(NOTE));
    let small = cluster.wait(&small);
    let before = begun(&cluster);
    assert_eq!(small.state(), "success");
    assert_eq!(
        cluster.job(&large).state(),
        "running",
        "there was more to do"
    );
    let first = before
        .iter()
        .position(|name| name == "small")
        .unwrap_or_default();
    let last = before
        .iter()
        .rposition(|name| name == "small")
        .unwrap_or_default();
    assert!(last - first < 20, "{before:?}");
    cluster.call(&["stop", &large]).code(0);
}

#[test]
fn the_time_of_the_slots_is_shared_by_the_shares() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 400);
    let _service = cluster.serve();
    let _workers = [cluster.worker("*"), cluster.worker("*")];
    let shares = [("one", 1), ("two", 2), ("four", 4)];
    let jobs = shares.map(|(name, share)| {
        let spec = Spec::new(name).reads("in", "/*").sh(NOTE);
        cluster.publish(&spec.set("share", share))
    });
    let all_begun = || {
        shares
            .iter()
            .all(|(name, _)| begun(&cluster).iter().any(|it| it == name))
    };
    drover_tests::eventually("all have begun", all_begun);
    let from = begun(&cluster).len();
    cluster.wait_for_lines("begun", from + 210);
    let counted = begun(&cluster)[from..from + 210].to_vec();
    for (name, share) in shares {
        let count = counted.iter().filter(|it| *it == name).count();
        let expected = 30 * share;
        // Five per cent of all, and a datum of each slot at both ends.
        assert!(
            count.abs_diff(expected) <= 11 + 4,
            "{name}: {count} of {expected}"
        );
    }
    for job in jobs {
        cluster.call(&["stop", &job]).code(0);
    }
}
