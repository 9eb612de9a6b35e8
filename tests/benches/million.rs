//! One job of a million datums over a million files: local and through a quorum queue, and the cost of what follows.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use drover_tests::{Spec, Workspace, shared};
use jiff::Timestamp;
use serde_json::Value;

use crate::cluster::worker_and_publisher;
use crate::corpus::{drover_in, forget, small_files};
use crate::measure::{Cost, measure};
use crate::{Sizes, say};

/// One file of so many changes.
const ONE_OF: usize = 100;

/// A file that changed less than two seconds before its hash is taken would be hashed again by the run after.
const GRAIN: Duration = Duration::from_secs(2);

/// Prints time, CPU and peak memory of each run, and the rate by tenths.
pub(crate) fn show(sizes: Sizes) {
    let count = sizes.million;
    say(&format!(
        "\n{count} datums of /bin/true over {count} files    wall s     each s   CPU ms each   peak MiB (largest process)"
    ));
    let workspace = small_files(count);
    let spec = Spec::new("nothing").reads("in", "/*/*").cmd(&["/bin/true"]);
    let spec = workspace.spec(&spec);
    sleep(GRAIN);
    let args = ["run", "--output", "json", "--workers", "2", &spec];
    let run = drover_in(&workspace, &args);
    let first = measure(&run);
    row("run", count, first);
    tenths(&workspace);
    row("run again, all done", count, measure(&run));
    let changed = change(&workspace, count);
    row("run, 1 % changed", changed, measure(&run));
    row("run again, all done", count, measure(&run));
    for args in [&["jobs"][..], &["explain", "last"], &["job", "last"]] {
        let what = format!("drover {}", args.join(" "));
        row(&what, 1, measure(&drover_in(&workspace, args)));
    }
    forget(&workspace);
    let half = Duration::from_secs_f64(first.wall / 2.0);
    let before = kill_after(&mut drover_in(&workspace, &args), half);
    say(&format!(
        "  killed after {half:.1?}, {before} results sealed"
    ));
    row("run after kill -9", count, measure(&run));
    tenths(&workspace);
    forget(&workspace);
    let url = shared().vhost();
    let through = worker_and_publisher(&workspace, &url, &spec, "2");
    row("through a quorum queue", count, measure(&through));
    tenths(&workspace);
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn row(what: &str, count: u64, cost: Cost) {
    let count = count as f64;
    say(&format!(
        "  {what:<40} {:>10.2} {:>10.0} {:>13.3} {:>10.1}",
        cost.wall,
        count / cost.wall,
        cost.cpu * 1000.0 / count,
        cost.peak
    ));
}

/// Changes every hundredth file. Returns the number of changed files.
fn change(workspace: &Workspace, count: u64) -> u64 {
    let changed = (0..count).step_by(ONE_OF);
    for number in changed.clone() {
        let file = workspace.path(&format!("in/{:04}/{number:07}", number / 1000));
        fs::write(file, "changed").expect("the store is writable");
    }
    sleep(GRAIN);
    changed.count() as u64
}

/// Prints the datums a second in each tenth of the newest job, by the times in the sealed verdicts.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn tenths(workspace: &Workspace) {
    let mut ends: Vec<f64> = verdicts(workspace)
        .filter_map(|verdict| seconds(&verdict["finished"]))
        .collect();
    ends.sort_by(f64::total_cmp);
    let size = (ends.len() / 10).max(1);
    let rates = ends.chunks(size + 1).map(|tenth| {
        let took = tenth[tenth.len() - 1] - tenth[0];
        format!("{:.0}", tenth.len() as f64 / took.max(1e-9))
    });
    let rates: Vec<_> = rates.collect();
    say(&format!("    each s by tenths: {}", rates.join(" ")));
}

fn seconds(time: &Value) -> Option<f64> {
    let time: Timestamp = time.as_str()?.parse().ok()?;
    Some(time.as_duration().as_secs_f64())
}

/// The sealed verdicts of the newest job, from the store.
fn verdicts(workspace: &Workspace) -> impl Iterator<Item = Value> {
    let mut jobs: Vec<_> = entries(&workspace.path(".drover/jobs")).collect();
    jobs.sort();
    let newest = jobs.pop().expect("there is a job").join("results");
    let files = entries(&newest).filter_map(|path| fs::File::open(path).ok());
    let lines = files.flat_map(|file| BufReader::new(file).lines().map_while(Result::ok));
    lines.filter_map(|line| serde_json::from_str(&line).ok())
}

fn entries(folder: &std::path::Path) -> impl Iterator<Item = std::path::PathBuf> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}

/// Runs the command and kills it after the time; returns the number of sealed verdicts.
fn kill_after(command: &mut Command, time: Duration) -> usize {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = quiet.spawn().expect("drover starts");
    let deadline = Instant::now() + time;
    while Instant::now() < deadline && matches!(running.try_wait(), Ok(None)) {
        sleep(Duration::from_millis(20));
    }
    let _ = running.kill();
    let _ = running.wait();
    let store = command.get_current_dir().expect("the store");
    let jobs = entries(&store.join(".drover/jobs"));
    let results = jobs.flat_map(|job| entries(&job.join("results")));
    let lines = |path| fs::read_to_string(path).map_or(0, |text| text.lines().count());
    results.map(lines).sum()
}
