//! Cost of a command and all its descendants.
//!
//! A small process of our own (the same program again) runs the command in a [control group](ControlGroup), adopts the orphans,
//! and reports. Where no group can be made, the CPU is that of the children that were waited for: too low for Drover, since the guard of
//! a slot leaves its last processes to the kernel.

use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use nix::sys::prctl;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::sys::wait::wait;
use serde_json::{Value, json};

use crate::control_group::ControlGroup;

const MARK: &str = "__measure";

/// Cost of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Seconds from start to end.
    pub(crate) wall: f64,
    /// Seconds of CPU, user and system, of the whole tree.
    pub(crate) cpu: f64,
    /// Peak memory of its largest process, in MiB.
    pub(crate) peak: f64,
}

/// Runs `command` to its end, stdout thrown away.
pub(crate) fn measure(command: &Command) -> Cost {
    let myself = std::env::current_exe().expect("a program knows its own path");
    let mut meter = Command::new(myself);
    // As from a shell: cargo's variables, its library path above all, make every command that starts look around.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO", "RUST", "LD_LIBRARY"]
            .iter()
            .any(|ours| text.starts_with(ours))
        {
            meter.env_remove(name);
        }
    }
    meter
        .arg(MARK)
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            meter.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        meter.current_dir(folder);
    }
    let output = meter
        .stderr(Stdio::inherit())
        .output()
        .expect("this program starts again");
    let cost: Value = serde_json::from_slice(&output.stdout).expect("the meter reports");
    assert!(cost["success"] == true, "{command:?} failed");
    let number = |of: &str| cost[of].as_f64().expect("a number");
    Cost {
        wall: number("wall"),
        cpu: number("cpu"),
        peak: number("peak"),
    }
}

/// The median of each figure over `repeats` runs; `before` prepares each one.
pub(crate) fn median(repeats: u64, before: impl Fn(), command: &Command) -> Cost {
    let [cost] = medians(repeats, [(&before, command)]);
    cost
}

/// The medians of several commands that run in turns, as a machine is not equally quick all the time.
pub(crate) fn medians<const N: usize>(repeats: u64, runs: [(&dyn Fn(), &Command); N]) -> [Cost; N] {
    let mut costs = [(); N].map(|()| Vec::new());
    for _ in 0..repeats.max(1) {
        for ((before, command), costs) in runs.iter().zip(&mut costs) {
            before();
            costs.push(measure(command));
        }
    }
    costs.map(|costs| middle(&costs))
}

fn middle(costs: &[Cost]) -> Cost {
    let middle = |of: fn(&Cost) -> f64| {
        let mut figures: Vec<f64> = costs.iter().map(of).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    Cost {
        wall: middle(|cost| cost.wall),
        cpu: middle(|cost| cost.cpu),
        peak: middle(|cost| cost.peak),
    }
}

/// Runs the meter, if the process was started as the meter.
pub(crate) fn take_over() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != MARK {
        return None;
    }
    prctl::set_child_subreaper(true).expect("a process may adopt");
    let group = ControlGroup::enter();
    let cpu_so_far = || group.as_ref().and_then(ControlGroup::cpu);
    let before = cpu_so_far();
    let begun = Instant::now();
    let mut command = Command::new(args.next().expect("a command to measure"));
    let status = command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    let wall = begun.elapsed().as_secs_f64();
    while wait().is_ok() {}
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage is always known");
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (waited, peak) = (
        (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6,
        usage.max_rss() as f64 / 1024.0,
    );
    let counted = cpu_so_far()
        .zip(before)
        .map(|(after, before)| after - before);
    let cpu = counted.unwrap_or(waited);
    let success = status.is_ok_and(|status| status.success());
    crate::say(&json!({ "success": success, "wall": wall, "cpu": cpu, "peak": peak }).to_string());
    Some(ExitCode::SUCCESS)
}
