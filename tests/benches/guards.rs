//! The cost of making sure: hashing every output, looking at every input and staged file twice, and one sync a job.
//!
//! Nothing switches these off in Drover, so a process of our own does the same to the same files, and its CPU is shown as a share of
//! the run's.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode};

use drover_shared::datum::content_hash;

use crate::corpus::{drover_in, every_file, forget, small_files};
use crate::measure::medians;
use crate::{Sizes, say};

/// Starts the bench program in the role of the process that repeats the checks.
const MARK: &str = "__guards";

/// Prints CPU for runs without and with outputs, and the share of the guards.
pub(crate) fn show(sizes: Sizes) {
    let count = sizes.datums;
    say(&format!(
        "\nmaking sure, {count} datums         cpu s    guards s    share"
    ));
    for (what, spec) in [("/bin/true", None), ("an output each", Some(COPY))] {
        let workspace = small_files(count);
        let spec = match spec {
            None => every_file(&workspace),
            Some(cmd) => {
                let spec = drover_tests::Spec::new("nothing").reads("in", "/*/*");
                workspace.spec(&spec.cmd(cmd))
            }
        };
        let run = drover_in(
            &workspace,
            &["run", "--output", "json", "--workers", "2", &spec],
        );
        let mut guards = Command::new(std::env::current_exe().expect("a program knows its path"));
        guards.arg(MARK).current_dir(workspace.store());
        let [run, guards] = medians(
            sizes.repeats,
            [(&|| forget(&workspace), &run), (&|| {}, &guards)],
        );
        let share = 100.0 * guards.cpu / (run.cpu - guards.cpu);
        say(&format!(
            "  {what:<26} {:>10.2} {:>11.2} {share:>7.1} %",
            run.cpu, guards.cpu
        ));
    }
}

/// Writes one small output.
const COPY: &[&str] = &["/bin/sh", "-c", "exec cp /pfs/in/*/* /pfs/out/"];

/// Makes sure of all files of the current directory, if the process was started for that.
pub(crate) fn take_over() -> Option<ExitCode> {
    if std::env::args().nth(1)? != MARK {
        return None;
    }
    let done = make_sure();
    crate::say(&format!("{done:?}"));
    Some(if done.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn make_sure() -> std::io::Result<()> {
    look_twice(Path::new("in"))?;
    let output = Path::new("nothing");
    if output.is_dir() {
        look_twice(output)?;
        hash(output)?;
    }
    let synced = Command::new("sync").args(["--file-system", "."]).status()?;
    synced
        .success()
        .then_some(())
        .ok_or_else(|| std::io::Error::other("sync failed"))
}

fn look_twice(folder: &Path) -> std::io::Result<()> {
    for_each(folder, &|path| {
        fs::metadata(path)?;
        fs::metadata(path).map(drop)
    })
}

fn hash(folder: &Path) -> std::io::Result<()> {
    for_each(folder, &|path| content_hash(File::open(path)?).map(drop))
}

fn for_each(folder: &Path, act: &dyn Fn(&Path) -> std::io::Result<()>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            for_each(&path, act)?;
        } else {
            act(&path)?;
        }
    }
    Ok(())
}
