//! Real data from the distribution's packages, real tools, and real peers, each written the natural way. The scripts lie in the
//! folders beside this file, one folder a task: a reader sees what was compared, and the table counts their lines.

mod corpus;
mod kills;
mod task;
mod tool;
mod trial;

pub(crate) use tool::python_with;

use crate::measure::Cost;
use crate::{Sizes, say};
use task::{TASKS, Task};
use tool::{TOOLS, Tool, install};
use trial::Trial;

/// Prints one table for each task.
pub(crate) fn show(_: Sizes) {
    let absent = install();
    for task in TASKS {
        let inputs = match task.inputs() {
            Ok(inputs) => inputs,
            Err(why) => {
                say(&format!("\n{}: not measured: {why}", task.name));
                continue;
            }
        };
        say(&format!("\n## {}: {}", task.name, inputs.summary()));
        say(&format!(
            "\n| tool | lines | first output s | makespan s | CPU s | CPU / {} | largest process MiB | again s | 1 % changed s | output |",
            TOOLS[0].name
        ));
        say("|---|---|---|---|---|---|---|---|---|---|");
        let tools = TOOLS.iter().filter(|tool| !absent.contains(&tool.name));
        compare(task, &tools.collect::<Vec<_>>(), &inputs);
    }
}

/// Runs each phase for all tools in turns, and prints a row for each tool.
fn compare(task: &Task, tools: &[&Tool], inputs: &corpus::Inputs) {
    let trials: Vec<Trial<'_>> = tools
        .iter()
        .map(|tool| Trial::prepare(task, tool, inputs))
        .collect();
    let first: Vec<_> = trials.iter().map(Trial::run).collect();
    let again: Vec<_> = trials.iter().map(Trial::run).collect();
    for trial in &trials {
        trial.change(inputs);
    }
    let changed: Vec<_> = trials.iter().map(Trial::run).collect();
    let reference = (&first[0].output, &changed[0].output);
    let floor = first[0].cost.cpu;
    for (at, tool) in tools.iter().enumerate() {
        let Cost { wall, cpu, peak } = first[at].cost;
        let verdict = match (
            &first[at].output == reference.0,
            &changed[at].output == reference.1,
        ) {
            (true, true) => "right",
            (true, false) => "stale after the change",
            (false, _) => "differs",
        };
        say(&format!(
            "| {} | {} | {:.2} | {wall:.2} | {cpu:.2} | {:.2} | {peak:.0} | {:.2} | {:.2} | {verdict} |",
            tool.name,
            task.lines(tool),
            first[at].first_output,
            cpu / floor,
            again[at].cost.wall,
            changed[at].cost.wall,
        ));
    }
    kills::show(task, tools, inputs, reference.0);
}
