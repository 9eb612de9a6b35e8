//! Completions for shells: the scripts, and the jobs and pipelines of the store as values.

use std::ffi::OsStr;
use std::time::Duration;

use clap::{Arg, Command, CommandFactory, Parser};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;
use drover_shared::id::PipelineName;
use drover_shared::job::JobRecord;
use futures::{StreamExt, TryStreamExt};
use tokio::time::timeout;

use crate::args::{Cli, Completions};
use crate::commands::Context;
use crate::exit::Exit;
use drover_core::catalog;

/// The variable by which a script asks this binary for candidates, and names the shell.
const VARIABLE: &str = "COMPLETE";
/// How many jobs are offered, newest first.
const MOST_JOBS: usize = 20;
/// Longest time for looking into the store: somebody waits at the keyboard.
const NAMES_TIMEOUT: Duration = Duration::from_secs(2);

/// Prints the script by which a shell asks the binary `drover`.
pub(crate) fn completions(typed: &Completions, context: &Context) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    let shell = typed.shell.to_string();
    if let Some(completer) = Shells::builtins().completer(&shell) {
        completer.write_registration(VARIABLE, "drover", "drover", "drover", &mut script)?;
    }
    let mut out = context.console.data();
    out.raw(script.trim_ascii_end())?;
    out.finish()?;
    Ok(Exit::Success)
}

/// Answers a shell that asks for candidates, and exits; returns if no shell asks.
pub fn answer_shell() {
    CompleteEnv::with_factory(|| completing(Cli::command()))
        .var(VARIABLE)
        .complete();
}

/// A command with arguments for jobs and pipelines, by the value names.
fn completing(command: Command) -> Command {
    command.mut_subcommands(completing).mut_args(|arg| {
        match arg.get_value_names().and_then(|names| names.first()) {
            Some(name) if name == "JOB" => offering(arg, jobs),
            Some(name) if name == "PIPELINE" => offering(arg, pipelines),
            _ => arg,
        }
    })
}

fn offering(arg: Arg, values: fn(&KnownNames) -> Vec<CompletionCandidate>) -> Arg {
    arg.add(ArgValueCompleter::new(move |typed: &OsStr| {
        let typed = typed.to_string_lossy();
        let mut offered = values(&look());
        offered.retain(|each| each.get_value().to_string_lossy().starts_with(&*typed));
        offered
    }))
}

/// The jobs by short id, with pipeline and state.
fn jobs(known: &KnownNames) -> Vec<CompletionCandidate> {
    let candidate = |record: &JobRecord| {
        let about = format!("{} {}", record.pipeline, record.state);
        CompletionCandidate::new(record.id.short()).help(Some(about.into()))
    };
    let last = CompletionCandidate::new("last").help(Some("the newest job".into()));
    known.jobs.iter().map(candidate).chain([last]).collect()
}

fn pipelines(known: &KnownNames) -> Vec<CompletionCandidate> {
    let names = known.pipelines.iter();
    names
        .map(|name| CompletionCandidate::new(name.as_str()))
        .collect()
}

/// Names that a store knows.
#[derive(Debug, Default)]
struct KnownNames {
    /// The newest jobs, newest first.
    jobs: Vec<JobRecord>,
    pipelines: Vec<PipelineName>,
}

/// The names in the store of the environment; none where the store cannot be read in time.
fn look() -> KnownNames {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return KnownNames::default();
    };
    let found = runtime.block_on(async { timeout(NAMES_TIMEOUT, known_names()).await });
    runtime.shutdown_background();
    found.ok().and_then(Result::ok).unwrap_or_default()
}

async fn known_names() -> anyhow::Result<KnownNames> {
    // A command line of no meaning, which takes the common options from the environment.
    let Ok(cli) = Cli::try_parse_from(["drover", "schema"]) else {
        return Ok(KnownNames::default());
    };
    let ledger = Context::new(&cli.common)?.ledger().await?;
    let mut known = KnownNames {
        pipelines: ledger.pipelines().await?,
        ..KnownNames::default()
    };
    let newest = catalog::history(&ledger, None, None).take(MOST_JOBS);
    let read = newest.map_ok(|id| catalog::record(&ledger, id));
    known.jobs = read.try_buffered(MOST_JOBS).try_collect().await?;
    Ok(known)
}
