//! Drover's figures beside those of other tools, all from one run on one machine. Nothing is asserted.
//!
//! Sizes are settings, so that it can be tried small: `DATUMS=500 MANY=2000 MILLION=10000 FILES=5000 JOBS=200 REPEATS=1 make bench`; and in parts: `ONLY=cluster make bench`.
//! Two parts take longer and are asked for by name: a million datums over a million files, `ONLY=million make bench`, and real data and
//! tools beside their peers, `make bench-real`.

mod cluster;
mod control_group;
mod corpus;
mod floor;
mod guards;
mod history;
mod measure;
mod memory;
mod million;
mod peaks;
mod plan;
mod real;

use std::process::ExitCode;

use control_group::ControlGroup;

/// How large and how often.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Datums beside xargs and the like.
    datums: u64,
    /// Datums where memory and skipping are measured.
    many: u64,
    /// Datums of the largest job.
    million: u64,
    /// Files in the plan.
    files: u64,
    /// Jobs in the history: two weeks of a job a minute.
    jobs: u64,
    /// Measurements of which the median is shown.
    repeats: u64,
}

/// The parts that run only when they are asked for.
const MILLION: &str = "million";
const REAL: &str = "real";

/// Figures that can be asked for alone, by name.
type Part = (&'static str, fn(Sizes));

fn main() -> ExitCode {
    if let Some(exit) = measure::take_over()
        .or_else(floor::take_over)
        .or_else(guards::take_over)
        .or_else(peaks::take_over)
        .or_else(cluster::take_over)
    {
        return exit;
    }
    let sizes = Sizes {
        datums: setting("DATUMS", 10_000),
        many: setting("MANY", 100_000),
        million: setting("MILLION", 1_000_000),
        files: setting("FILES", 1_000_000),
        jobs: setting("JOBS", 20_160),
        repeats: setting("REPEATS", 3),
    };
    say(&format!(
        "{sizes:?}, {} CPUs",
        std::thread::available_parallelism().map_or(0, usize::from)
    ));
    say(if ControlGroup::enter().is_some() {
        "CPU of all processes, by a control group"
    } else {
        "CPU of waited children alone, too low for Drover: no control group can be made here; try as root"
    });
    let only = wanted();
    let parts: [Part; 9] = [
        ("floor", floor::show),
        ("cluster", cluster::show),
        ("memory", memory::show),
        ("plan", plan::show),
        ("guards", guards::show),
        ("history", history::show),
        (MILLION, million::show),
        (REAL, real::show),
        ("peaks", peaks::show),
    ];
    for (name, show) in parts {
        if only == name || only.is_empty() && ![MILLION, REAL].contains(&name) {
            show(sizes);
        }
    }
    ExitCode::SUCCESS
}

#[expect(
    clippy::disallowed_methods,
    reason = "a bench has no command line of its own"
)]
fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).unwrap_or_default();
    if text.is_empty() {
        default
    } else {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text:?} is not a whole number"))
    }
}

/// The only part that is wanted, by `ONLY`; empty for all.
#[expect(
    clippy::disallowed_methods,
    reason = "a bench has no command line of its own"
)]
fn wanted() -> String {
    std::env::var("ONLY").unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "figures are what this program is for")]
fn say(line: &str) {
    println!("{line}");
}
