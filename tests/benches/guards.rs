//! The cost of making sure and of protection, as shares of the CPU of a run: hashing every output, looking at every input and staged
//! file twice, and one sync a job; the Landlock domain of the commands; the authentication codes of the messages.
//!
//! Nothing switches these off in Drover, so processes of our own do the same as often, with and without where it is not all that they
//! do.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode};

use drover_shared::datum::content_hash;
use drover_shared::job::JobKey;
use drover_shared::wire::{authenticity, decode, encode_for};
use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    path_beneath_rules,
};

use crate::corpus::{drover_in, every_file, forget, small_files};
use crate::measure::medians;
use crate::{Sizes, say};

/// Starts the bench program in the role of the process that repeats a guard.
const MARK: &str = "__guards";

/// The messages of a datum without a set that carry a code.
const MESSAGES: [&[u8]; 3] = [
    include_bytes!("../../shared/tests/wire/v1/task-term.json"),
    include_bytes!("../../shared/tests/wire/v1/report-running.json"),
    include_bytes!("../../shared/tests/wire/v1/report-ended-success.json"),
];

/// Prints CPU for runs without and with outputs, and the share of the guards.
pub(crate) fn show(sizes: Sizes) {
    let count = sizes.datums;
    say(&format!(
        "\nguards, {count} datums              cpu s    looks s  Landlock s   codes s    share"
    ));
    for (what, cmd, alone) in [
        ("/bin/true", None, TRUE),
        ("an output each", Some(COPY), COPY_ALONE),
    ] {
        let workspace = small_files(count);
        let spec = match cmd {
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
        let role = |role: &str, rest: &[&str]| {
            let mut command =
                Command::new(std::env::current_exe().expect("a program knows itself"));
            command.args([MARK, role, &count.to_string()]).args(rest);
            command.current_dir(workspace.store());
            command
        };
        let nothing = || {};
        let [run, looks, free, restricted, plain, keyed] = medians(
            sizes.repeats,
            [
                (&|| forget(&workspace), &run),
                (&nothing, &role("looks", &[])),
                (&nothing, &role("free", alone)),
                (&nothing, &role("restricted", alone)),
                (&nothing, &role("plain", &[])),
                (&nothing, &role("keyed", &[])),
            ],
        );
        let (landlock, codes) = (restricted.cpu - free.cpu, keyed.cpu - plain.cpu);
        let guards = looks.cpu + landlock + codes;
        let share = 100.0 * guards / (run.cpu - guards);
        say(&format!(
            "  {what:<26} {:>10.2} {:>10.2} {landlock:>11.2} {codes:>9.3} {share:>7.1} %",
            run.cpu, looks.cpu
        ));
    }
}

/// Does nothing, as the commands of [`every_file`].
const TRUE: &[&str] = &["/bin/true"];

/// Writes one small output.
const COPY: &[&str] = &["/bin/sh", "-c", "exec cp /pfs/in/*/* /pfs/out/"];

/// The same work outside of a datum.
const COPY_ALONE: &[&str] = &["/bin/sh", "-c", "exec cp in/0000/000000* copied"];

/// Repeats a guard in the current directory, if the process was started for that.
pub(crate) fn take_over() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    if args.next()? != MARK {
        return None;
    }
    let (role, count) = (args.next()?, args.next()?.parse().ok()?);
    let command: Vec<String> = args.collect();
    let done = repeat(&role, count, &command);
    crate::say(&format!("{done:?}"));
    Some(if done.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn repeat(role: &str, count: u64, command: &[String]) -> std::io::Result<()> {
    match role {
        "looks" => make_sure(),
        "free" => spawn(count, command),
        "restricted" => {
            restrict().map_err(std::io::Error::other)?;
            spawn(count, command)
        }
        "plain" => exchange(count, None),
        "keyed" => exchange(count, Some(&JobKey::generate()?)),
        _ => Err(std::io::Error::other("no such guard")),
    }
}

/// Enters a domain as in the sandbox `links`, where it costs most: all rights on files are handled, and each entry of `/` has a rule.
fn restrict() -> Result<(), RulesetError> {
    let all = AccessFs::from_all(ABI::V5);
    let entries = fs::read_dir("/").into_iter().flatten().flatten();
    Ruleset::default()
        .handle_access(all)?
        .create()?
        .add_rules(path_beneath_rules(entries.map(|entry| entry.path()), all))?
        .restrict_self()
        .map(drop)
}

/// Runs the command so many times, one after the other.
fn spawn(count: u64, command: &[String]) -> std::io::Result<()> {
    let (program, args) = command.split_first().expect("a command");
    fs::create_dir_all("copied")?;
    for _ in 0..count {
        Command::new(program).args(args).status()?;
    }
    Ok(())
}

/// Encodes and checks the messages of so many datums.
fn exchange(count: u64, key: Option<&JobKey>) -> std::io::Result<()> {
    let messages = MESSAGES.map(|body| decode(body).expect("a golden message"));
    for _ in 0..count {
        for message in &messages {
            let body = encode_for(message, key).map_err(std::io::Error::other)?;
            std::hint::black_box(authenticity(&body, key));
        }
    }
    Ok(())
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
