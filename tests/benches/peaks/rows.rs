//! The rows of the table.

use std::time::Instant;

use drover_tests::{Spec, Workspace};
use serde_json::Value;

use super::cost;
use super::others::{Outcome, fixed_slots, hyperqueue, memfree, oracle};
use super::workload::{BUDGET_MB, MARK, SLOTS, bound, peaks, program, workspace};
use crate::corpus::drover_in;
use crate::{Sizes, say, setting};

/// Prints the makespan of each way to run the datums, and the cost of the measurement.
pub(crate) fn show(sizes: Sizes) {
    let peaks = peaks(setting("PEAKS", 500));
    let workspace = workspace(&peaks);
    say(&format!(
        "\npeaks, {} datums, {BUDGET_MB} MB      s     × bound   failed   runs",
        peaks.len()
    ));
    let bound = bound(&peaks);
    let row = |what: &str, outcome: &Outcome| {
        let text = |number: Option<u64>| number.map_or_else(String::new, |it| it.to_string());
        say(&format!(
            "  {what:<36} {:>8.1} {:>8.2} {:>8} {:>6}",
            outcome.seconds,
            outcome.seconds / bound,
            text(outcome.failed),
            text(outcome.runs),
        ));
    };
    row("bound, all is known", &Outcome::of_seconds(bound));
    row("oracle, all is known", &timed(|| oracle(&peaks)));
    for what in ["drover, first run", "drover, second run"] {
        row(what, &drover(&workspace));
    }
    let most = peaks.iter().map(|peak| peak.megabytes).max().unwrap_or(1);
    let fixed = (BUDGET_MB / most).max(1);
    let what = format!("xargs, {fixed} slots: never too many");
    row(&what, &timed(|| fixed_slots(&workspace, fixed)));
    row("parallel --memfree", &timed(|| memfree(&workspace)));
    if let Some(python) = hyperqueue::python() {
        let what = "hyperqueue, all ask for the largest";
        row(what, &timed(|| hyperqueue::run(&python, &workspace)));
    }
    cost::show(sizes.datums);
}

/// The outcome of a run, with the time from its begin to its end.
fn timed(run: impl FnOnce() -> Outcome) -> Outcome {
    let begun = Instant::now();
    let outcome = run();
    Outcome {
        seconds: begun.elapsed().as_secs_f64(),
        ..outcome
    }
}

fn drover(workspace: &Workspace) -> Outcome {
    let (memory, slots) = (format!("{BUDGET_MB}M"), SLOTS.to_string());
    let spec = spec(workspace);
    let args = ["run", "--output", "json", "--reprocess", "--memory"];
    let args = [&args[..], &[&memory, "--workers", &slots, &spec]].concat();
    timed(|| {
        let output = drover_in(workspace, &args).output();
        let output = output.expect("drover starts");
        let record: Value = serde_json::from_slice(&output.stdout).expect("a job record");
        Outcome {
            failed: record["datums"]["failed"].as_u64(),
            runs: Some(attempts(workspace)),
            ..Outcome::default()
        }
    })
}

fn spec(workspace: &Workspace) -> String {
    let script = format!("exec {} {MARK} $(cat /pfs/in/*)", program());
    let spec = Spec::new("peaks").reads("in", "/*");
    workspace.spec(&spec.cmd(&["sh", "-c", &script]))
}

/// Runs of commands in the last job.
fn attempts(workspace: &Workspace) -> u64 {
    let listed = drover_in(workspace, &["datums", "last", "--output", "json"]).output();
    let listed = listed.expect("drover starts").stdout;
    let lines = String::from_utf8_lossy(&listed).into_owned();
    let datums = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    datums.filter_map(|datum| datum["attempts"].as_u64()).sum()
}
