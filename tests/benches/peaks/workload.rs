//! The datums: commands that hold memory for a while.

use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::{Duration, Instant};

use drover_tests::Workspace;

/// Starts the bench program in the role of a command that holds memory.
pub(super) const MARK: &str = "__peak";

const MB: u64 = 1 << 20;

/// Memory for all commands.
pub(super) const BUDGET_MB: u64 = 8000;

/// Slots that Drover may use, so that memory is the limit and not the CPUs.
pub(super) const SLOTS: u64 = 24;

/// Median and deviation of the logarithm: half of the datums need more than 200 MB, one in a hundred more than 3 GB.
const MEDIAN_MB: f64 = 200.0;
const SIGMA: f64 = 1.164;

/// Holds the megabytes for the milliseconds of the arguments, if the process was started for that.
pub(crate) fn take_over() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    if args.next()? != MARK {
        return None;
    }
    let number = |text: Option<String>| text.and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
    let (megabytes, milliseconds) = (number(args.next()), number(args.next()));
    let mut held = Vec::new();
    let begun = Instant::now();
    for part in 0..megabytes {
        held.push(vec![1_u8; usize::try_from(MB).unwrap_or(0)]);
        // Memory grows over the first half of the time, as it does while inputs are read.
        let due = Duration::from_millis(milliseconds * part / (2 * megabytes));
        sleep(due.saturating_sub(begun.elapsed()));
    }
    sleep(Duration::from_millis(milliseconds).saturating_sub(begun.elapsed()));
    Some(if held.iter().all(|part| part[0] == 1) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A datum: megabytes and milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peak {
    pub(super) megabytes: u64,
    pub(super) milliseconds: u64,
}

/// Log-normal peaks, the same in each run; a datum takes the longer the more it needs.
pub(super) fn peaks(count: u64) -> Vec<Peak> {
    let mut random = fastrand::Rng::with_seed(23);
    let of = |_| {
        let (one, other) = (random.f64().max(1e-12), random.f64());
        let normal = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos();
        let megabytes = whole(MEDIAN_MB * (SIGMA * normal).exp()).clamp(1, BUDGET_MB / 2);
        Peak {
            megabytes,
            milliseconds: 300 + megabytes / 2 + random.u64(0..400),
        }
    };
    (0..count).map(of).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// No order of the datums takes fewer seconds: their memory and time fill the budget, or the slots, or one takes so long.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn bound(peaks: &[Peak]) -> f64 {
    let area: u64 = peaks.iter().map(|it| it.megabytes * it.milliseconds).sum();
    let time: u64 = peaks.iter().map(|it| it.milliseconds).sum();
    let longest = peaks.iter().map(|it| it.milliseconds).max().unwrap_or(0);
    let milliseconds = (area / BUDGET_MB).max(time / SLOTS).max(longest);
    milliseconds as f64 / 1000.0
}

/// A store with a file for each datum, which holds its figures.
pub(super) fn workspace(peaks: &[Peak]) -> Workspace {
    let workspace = Workspace::new();
    for (number, peak) in peaks.iter().enumerate() {
        let text = format!("{} {}", peak.megabytes, peak.milliseconds);
        workspace.file(&format!("in/{number:05}"), text);
    }
    workspace
}

/// The path of the program that holds memory.
pub(super) fn program() -> String {
    let program = std::env::current_exe().expect("a program knows its path");
    program.display().to_string()
}

impl Peak {
    /// The command that holds the memory.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(program());
        let figures = [self.megabytes, self.milliseconds].map(|it| it.to_string());
        command.arg(MARK).args(figures);
        command
    }
}
