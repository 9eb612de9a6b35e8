//! Datums whose memory is log-normal: most need little, one in a hundred ten times as much. Beside a bound that knows all peaks, and
//! beside fixed slots, the most that never run out.

use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::{Duration, Instant};

use drover_tests::{Spec, Workspace};
use serde_json::Value;

use crate::corpus::drover_in;
use crate::{Sizes, say, setting};

/// Starts the bench program in the role of a command that holds memory.
const MARK: &str = "__peak";

const MB: u64 = 1 << 20;

/// Memory for all commands.
const BUDGET_MB: u64 = 8000;

/// Slots that Drover may use, so that memory is the limit and not the CPUs.
const SLOTS: u64 = 24;

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
struct Peak {
    megabytes: u64,
    milliseconds: u64,
}

/// Prints the makespan of a first and a second run, and what they are measured by.
pub(crate) fn show(_: Sizes) {
    let peaks = peaks(setting("PEAKS", 500));
    let workspace = workspace(&peaks);
    let spec = spec(&workspace);
    say(&format!(
        "\npeaks, {} datums, {BUDGET_MB} MB      s     × bound   failed   runs",
        peaks.len()
    ));
    let bound = bound(&peaks);
    let row = |what: &str, seconds: f64, failed: &str, runs: &str| {
        say(&format!(
            "  {what:<24} {seconds:>8.1} {:>8.2} {failed:>8} {runs:>6}",
            seconds / bound
        ));
    };
    row("bound, all is known", bound, "", "");
    for what in ["first run", "second run"] {
        let memory = format!("{BUDGET_MB}M");
        let slots = SLOTS.to_string();
        let args = [
            "run",
            "--output",
            "json",
            "--reprocess",
            "--memory",
            &memory,
        ];
        let args = [&args[..], &["--workers", &slots, &spec]].concat();
        let begun = Instant::now();
        let output = drover_in(&workspace, &args)
            .output()
            .expect("drover starts");
        let seconds = begun.elapsed().as_secs_f64();
        let record: Value = serde_json::from_slice(&output.stdout).expect("a job record");
        let runs = attempts(&workspace).to_string();
        row(
            what,
            seconds,
            &record["datums"]["failed"].to_string(),
            &runs,
        );
    }
    let most = peaks.iter().map(|peak| peak.megabytes).max().unwrap_or(1);
    let fixed = (BUDGET_MB / most).max(1);
    let begun = Instant::now();
    xargs(&workspace, fixed);
    let what = format!("{fixed} fixed slots (xargs)");
    row(&what, begun.elapsed().as_secs_f64(), "", "");
}

/// Log-normal peaks, the same in each run; a datum takes the longer the more it needs.
fn peaks(count: u64) -> Vec<Peak> {
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
fn bound(peaks: &[Peak]) -> f64 {
    let area: u64 = peaks.iter().map(|it| it.megabytes * it.milliseconds).sum();
    let time: u64 = peaks.iter().map(|it| it.milliseconds).sum();
    let longest = peaks.iter().map(|it| it.milliseconds).max().unwrap_or(0);
    let milliseconds = (area / BUDGET_MB).max(time / SLOTS).max(longest);
    milliseconds as f64 / 1000.0
}

fn workspace(peaks: &[Peak]) -> Workspace {
    let workspace = Workspace::new();
    for (number, peak) in peaks.iter().enumerate() {
        let text = format!("{} {}", peak.megabytes, peak.milliseconds);
        workspace.file(&format!("in/{number:05}"), text);
    }
    workspace
}

fn program() -> String {
    let program = std::env::current_exe().expect("a program knows its path");
    program.display().to_string()
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

/// Runs all datums in so many slots.
fn xargs(workspace: &Workspace, slots: u64) {
    let script = format!(
        "ls in/* | xargs -P{slots} -n1 sh -c 'exec {} {MARK} $(cat \"$0\")'",
        program()
    );
    let ended = Command::new("sh")
        .args(["-c", &script])
        .current_dir(workspace.store())
        .status();
    assert!(ended.expect("sh starts").success(), "a command failed");
}
