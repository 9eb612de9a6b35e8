//! Other ways to run the datums.

use std::cmp::Reverse;
use std::fs;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use drover_tests::Workspace;

use super::workload::{BUDGET_MB, MARK, Peak, SLOTS, program};
use crate::corpus::shell_in;

/// Interval between two looks at the commands of the oracle.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The outcome of all datums.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    pub(super) seconds: f64,
    /// Number of failed datums; none if the tool does not tell the number.
    pub(super) failed: Option<u64>,
    /// Runs of commands; none if they are not counted.
    pub(super) runs: Option<u64>,
}

impl Outcome {
    /// So many seconds, and nothing else.
    pub(super) fn of_seconds(seconds: f64) -> Self {
        Self {
            seconds,
            ..Self::default()
        }
    }

    /// The outcome by the exit code of a command that counts failures.
    fn of_failures(ended: Option<i32>) -> Self {
        let failed = ended.and_then(|code| u64::try_from(code).ok());
        Self {
            failed,
            ..Self::default()
        }
    }
}

/// Knows all peaks and times: whenever something ends, the longest of the datums that fit begin.
pub(super) fn oracle(peaks: &[Peak]) -> Outcome {
    let mut waiting = peaks.to_vec();
    waiting.sort_by_key(|peak| Reverse(peak.milliseconds));
    let mut running: Vec<(Peak, Child)> = Vec::new();
    let mut failed = 0;
    while !waiting.is_empty() || !running.is_empty() {
        running.retain_mut(|(_, child)| match child.try_wait() {
            Ok(None) => true,
            ended => {
                failed += u64::from(!ended.is_ok_and(|it| it.is_some_and(|it| it.success())));
                false
            }
        });
        let mut left = BUDGET_MB - running.iter().map(|(it, _)| it.megabytes).sum::<u64>();
        waiting.retain(|peak| {
            let fits = peak.megabytes <= left && (running.len() as u64) < SLOTS;
            if fits {
                left -= peak.megabytes;
                let child = peak.command().spawn().expect("this program starts again");
                running.push((*peak, child));
            }
            !fits
        });
        sleep(LOOK_EVERY);
    }
    Outcome {
        failed: Some(failed),
        ..Outcome::default()
    }
}

/// Runs all datums in so many slots.
pub(super) fn fixed_slots(workspace: &Workspace, slots: u64) -> Outcome {
    let script = format!(
        "ls in/* | xargs -P{slots} -n1 sh -c 'exec {} {MARK} $(cat \"$0\")'",
        program()
    );
    let ended = shell_in(workspace, &script).status();
    let failed = !ended.expect("sh starts").success();
    Outcome {
        failed: Some(u64::from(failed)),
        ..Outcome::default()
    }
}

/// GNU parallel begins a datum while the memory beside the budget is free, and ends the youngest when half of that is not.
pub(super) fn memfree(workspace: &Workspace) -> Outcome {
    let beside = available_mb().saturating_sub(BUDGET_MB).max(1);
    let script = format!(
        "ls in/* | parallel -j{SLOTS} --memfree {beside}M --retries 9 'exec {} {MARK} $(cat {{}})'",
        program()
    );
    let ended = shell_in(workspace, &script).status();
    Outcome::of_failures(ended.expect("sh starts").code())
}

/// Memory that the machine has available.
fn available_mb() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kibibytes.unwrap_or(0) / 1024
}

/// `HyperQueue`, in which each task asks for what the user knows to suffice.
pub(super) mod hyperqueue {
    use std::path::{Path, PathBuf};

    use super::{BUDGET_MB, Command, MARK, Outcome, Workspace, program};
    use crate::real::python_with;

    const SCRIPT: &str = include_str!("hyperqueue_peaks.py");

    /// The Python that has `HyperQueue`; none if it cannot be installed.
    pub(in super::super) fn python() -> Option<PathBuf> {
        python_with("hyperqueue==0.27.0")
    }

    /// Runs all datums.
    pub(in super::super) fn run(python: &Path, workspace: &Workspace) -> Outcome {
        let mut command = Command::new(python);
        command.args(["-c", SCRIPT, &program(), MARK, &BUDGET_MB.to_string()]);
        let output = command.current_dir(workspace.store()).output();
        Outcome::of_failures(output.expect("python starts").status.code())
    }
}
