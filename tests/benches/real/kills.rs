//! The same tasks while the tool is killed every few seconds and started again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use drover_tests::Tree;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::corpus::Inputs;
use super::task::Task;
use super::tool::Tool;
use super::trial::Trial;
use crate::{say, setting};

/// A tool that has not ended after so many starts is given up.
const STARTS: u32 = 40;

/// Prints one row for each tool that is meant to go on after a kill.
pub(super) fn show(task: &Task, tools: &[&Tool], inputs: &Inputs, expected: &[Tree]) {
    let every = Duration::from_secs(setting("KILL_EVERY", 5));
    say(&format!(
        "\n| tool, killed with all its processes every {every:?} | starts | makespan s | begins of `{}` | output |",
        task.counted
    ));
    say("|---|---|---|---|---|");
    for tool in tools.iter().filter(|tool| tool.resumes) {
        let trial = Trial::prepare(task, tool, inputs);
        let first = trial.workspace.outside("bin");
        let begins = count_begins(task, &first);
        let begun = Instant::now();
        let starts = (1..=STARTS).find(|_| ends_within(trial.command(&first), every));
        let output = match (&starts, trial.output() == expected) {
            (None, _) => "not ended",
            (Some(_), true) => "right",
            (Some(_), false) => "differs",
        };
        say(&format!(
            "| {} | {} | {:.2} | {} | {output} |",
            tool.name,
            starts.unwrap_or(STARTS),
            begun.elapsed().as_secs_f64(),
            fs::read_to_string(begins).map_or(0, |text| text.lines().count()),
        ));
    }
}

/// Puts a command into `folder` that notes its begin in a file before it becomes the real one. Returns the file.
fn count_begins(task: &Task, folder: &Path) -> std::path::PathBuf {
    let begins = folder.with_file_name("begins");
    let own = task.scripts().join(task.counted);
    let real = if own.exists() {
        own
    } else {
        Path::new("/usr/bin").join(task.counted)
    };
    let script = format!(
        "#!/bin/sh\necho >> {}\nexec {} \"$@\"\n",
        begins.display(),
        real.display()
    );
    let command = folder.join(task.counted);
    fs::create_dir_all(folder).expect("the workspace is writable");
    fs::write(&command, script).expect("the workspace is writable");
    fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    begins
}

/// Starts the command in a process group of its own. True if the command succeeds in time; all of the group is killed otherwise.
fn ends_within(mut command: Command, time: Duration) -> bool {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    let started = quiet.stdin(Stdio::null()).process_group(0).spawn();
    let mut started = started.expect("the tool starts");
    let deadline = Instant::now() + time;
    while Instant::now() < deadline {
        if let Ok(Some(status)) = started.try_wait() {
            return status.success();
        }
        thread::sleep(Duration::from_millis(20));
    }
    let group = i32::try_from(started.id()).expect("a process id fits");
    let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    let _ = started.wait();
    false
}
