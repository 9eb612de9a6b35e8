//! Guarantees for every job, whatever fault occurred on the way: nothing lost, nothing done twice, no innocent datum
//! failed, and the output of an undisturbed run.

use std::collections::BTreeSet;

use drover_tests::{Job, Spec, TestCluster, Tree, eventually};

/// Notes the start, copies the input, and appends the input to a file that all datums share, in their order.
pub(crate) fn recording_spec() -> Spec {
    script("sleep 0.02")
}

/// The same, after `$OUTSIDE/gate` was opened.
pub(crate) fn gated_spec() -> Spec {
    script(r#"while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done"#)
}

/// The same, but the first datum to run does not wait for the gate.
pub(crate) fn gated_spec_except_first() -> Spec {
    script(r#"mkdir "$OUTSIDE/first" || while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done"#)
}

/// Waits until the coordinator has heard of the end of `count` datums.
#[track_caller]
pub(crate) fn wait_for_processed(cluster: &TestCluster, id: &str, count: u64) {
    eventually("the coordinator heard of their ends", || {
        cluster.job(id).count("processed") >= count
    });
}

fn script(wait: &str) -> Spec {
    let script = format!(
        r#"echo "$DROVER_DATUM_INDEX" >> "$OUTSIDE/runs"; {wait}; cp "$in" /pfs/out/; cat "$in" > /pfs/out/all"#
    );
    Spec::new("made").reads("in", "/*").sh(&script)
}

/// Waits for the end of a job of [`recording_spec`] or [`gated_spec`] over `count` numbered files, and checks what it came to.
#[track_caller]
pub(crate) fn assert_guarantees(cluster: &TestCluster, id: &str, count: usize) -> Job {
    let job = assert_all_succeed(cluster, id, count);
    assert_output(&cluster.workspace.tree("made"), count);
    job
}

/// Waits for the end of a job, all of whose `count` datums succeed, each of them once.
#[track_caller]
pub(crate) fn assert_all_succeed(cluster: &TestCluster, id: &str, count: usize) -> Job {
    let job = cluster.wait(id);
    assert_eq!(
        (job.state(), job.counts()),
        ("success", format!("{count}: {count} processed")),
        "{job:?}"
    );
    let datums = cluster.call(&["datums", id, "--output", "json"]).code(0);
    let indexes: Vec<_> = datums
        .lines()
        .iter()
        .map(|datum| datum["index"].as_u64())
        .collect();
    assert_eq!(indexes.len(), count, "{}", datums.transcript());
    assert_eq!(
        indexes.iter().collect::<BTreeSet<_>>().len(),
        count,
        "a datum counts twice"
    );
    job
}

/// Checks the output against that of an undisturbed run over `count` numbered files.
#[track_caller]
pub(crate) fn assert_output(output: &Tree, count: usize) {
    let numbers = (0..count).map(|number| (format!("{number:03}"), format!("{number}\n")));
    let mut expected: std::collections::BTreeMap<_, _> = numbers.collect();
    let all = expected.values().cloned().collect();
    expected.insert("all".to_owned(), all);
    assert_eq!(output.differences(&expected), Vec::<String>::new());
}
