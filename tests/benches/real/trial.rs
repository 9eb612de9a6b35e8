//! One tool at one task: a folder with the inputs and the scripts, in which the tool runs again and again.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use drover_tests::{ScopeEnd, Tree, Workspace};

use super::corpus::Inputs;
use super::task::Task;
use super::tool::Tool;
use crate::measure::{Cost, measure};

/// The folder in which one tool does one task.
pub(super) struct Trial<'a> {
    task: &'a Task,
    tool: &'a Tool,
    pub(super) workspace: Workspace,
}

/// The cost and the product of one run.
pub(super) struct Run {
    pub(super) cost: Cost,
    /// Seconds from the start until the first file with content was there.
    pub(super) first_output: f64,
    pub(super) output: Vec<Tree>,
}

impl<'a> Trial<'a> {
    /// A folder with the inputs and the scripts, and nothing else.
    pub(super) fn prepare(task: &'a Task, tool: &'a Tool, inputs: &Inputs) -> Self {
        let workspace = Workspace::new();
        for (source, name) in &inputs.files {
            let content = fs::read(source).expect("an input can be read");
            workspace.file(&format!("in/{name}"), content);
        }
        for file in tool.files {
            let script = task.scripts().join(file);
            if script.exists() {
                fs::copy(script, workspace.path(file)).expect("the store is writable");
            }
        }
        Self {
            task,
            tool,
            workspace,
        }
    }

    /// The command of the tool. Its programs are looked up in `first`, then beside the scripts of the task.
    pub(super) fn command(&self, first: &Path) -> Command {
        let path = format!("{}:{}", first.display(), self.task.scripts().display());
        let mut command = self.tool.command(&path);
        command.current_dir(self.workspace.store());
        command
    }

    /// Runs the tool to its end.
    pub(super) fn run(&self) -> Run {
        let command = self.command(&self.task.scripts());
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let first = scope.spawn(|| self.first_output(&ended));
            let running = ScopeEnd(&ended);
            let cost = measure(&command);
            drop(running);
            let first = first.join().expect("looking for files does not panic");
            Run {
                cost,
                first_output: first.unwrap_or(cost.wall),
                output: self.output(),
            }
        })
    }

    /// Everything that the tool made.
    pub(super) fn output(&self) -> Vec<Tree> {
        let folders = self.task.made.iter();
        folders.map(|folder| self.workspace.tree(folder)).collect()
    }

    /// Gives every hundredth input, and one at least, the content of its neighbour.
    pub(super) fn change(&self, inputs: &Inputs) {
        let sources = inputs.files.iter().cycle().skip(1);
        let changed = inputs.files.iter().zip(sources).step_by(100);
        for ((_, name), (other, _)) in changed {
            let content = fs::read(other).expect("an input can be read");
            fs::write(self.workspace.path(&format!("in/{name}")), content)
                .expect("the store is writable");
        }
    }

    /// Seconds until a file with content lies in the first folder that the task makes.
    fn first_output(&self, ended: &AtomicBool) -> Option<f64> {
        let begun = Instant::now();
        let folder = self.workspace.path(self.task.made[0]);
        while !ended.load(Ordering::Acquire) {
            if has_content(&folder) {
                return Some(begun.elapsed().as_secs_f64());
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

fn has_content(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
        .any(|(path, found)| {
            if found.is_dir() {
                has_content(&path)
            } else {
                found.len() > 0
            }
        })
}
