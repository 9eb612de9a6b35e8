//! The command line as typed. Clap's definitions only, one file a group of commands; the texts of
//! `--help` stand beside the fields they explain. What is meant by them is `commands`' business.

mod cluster;
mod command;
mod inspect;
mod limits;
mod pipelines;
mod run;
mod spec;
mod tokens;
mod values;

pub use cluster::{Probe, Publish, Serve};
pub use command::OneLiner;
pub use inspect::{Datums, Explain, Job, Jobs, Logs, Stop, Wait};
pub use limits::Rows;
pub use pipelines::{
    Create, Delete, GraphFormat, Named, Pause, Pipelines, Resume, SpecFiles, Update,
};
pub use run::{Engine, Retry, Run};
pub use spec::{Completions, Manifest, Plan, Sources, Validate};
pub use tokens::{Tokens, tokens};
pub use values::{DatumChoice, Format, Http, InputOverride};

use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::values::positive_duration;

const EXIT_CODES: &str = "\
Exit codes:
  0  all done
  1  the job failed: some datums did, or its output could not be published
  2  usage, or an invalid spec; nothing was done
  3  the job was stopped: by `drover stop`, a signal or `job_timeout`
  4  the store or the broker cannot be reached or used
  5  `wait --timeout` ran out, or `publish --wait` was interrupted; the job goes on

Standard output carries data, standard error carries talk. NO_COLOR=1 switches colours off;
DROVER_LOG=debug tells more of what happens inside.

Start here:
  drover run --glob 'photos/*.jpg' --out thumbs -- convert '{}' -resize 200 '{out}/{/}'
  drover run pipeline.yaml
  drover jobs";

/// Runs a command over every file of a folder or bucket, without losing or repeating anything.
///
/// Files become datums, the units of work; each datum runs the command once, in a sandbox of its own.
/// What succeeded is not done again: the next run does only what is new or changed.
#[derive(Debug, Parser)]
#[command(name = "drover", version, after_help = EXIT_CODES, arg_required_else_help = true, max_term_width = 100)]
#[command(subcommand_value_name = "COMMAND", disable_help_subcommand = true)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,

    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// The folder or bucket that holds the inputs, the outputs and Drover's records
    ///
    /// A folder, or `s3://bucket/prefix`, `gs://…`, `az://…`; credentials come from the environment, as the
    /// cloud's own tools expect them (`AWS_ACCESS_KEY_ID`, `GOOGLE_APPLICATION_CREDENTIALS`,
    /// `AZURE_STORAGE_ACCOUNT_NAME` …).
    #[arg(
        long,
        global = true,
        env = "DROVER_STORE",
        default_value = ".",
        value_name = "DIR|URL"
    )]
    pub store: String,

    /// The `RabbitMQ` broker that workers are connected to, for example `amqp://user:password@host:5672/vhost`
    ///
    /// `amqps://` for TLS. `run` and `retry` use it only when the flag is typed: the variable alone does not take their work to
    /// a cluster.
    #[arg(
        long,
        global = true,
        env = "DROVER_BROKER",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub broker: Option<String>,

    /// How long the broker may take to be reached before a command gives up with exit code 4
    #[arg(
        long,
        global = true,
        env = "DROVER_CONNECT_TIMEOUT",
        default_value = "30s",
        value_name = "TIME",
        value_parser = positive_duration,
        hide_short_help = true
    )]
    pub connect_timeout: Duration,

    /// Whether the broker stands on the command line itself.
    #[arg(skip)]
    pub broker_is_typed: bool,

    /// How results and errors are printed: for people, or JSON for scripts
    #[arg(
        long,
        global = true,
        env = "DROVER_OUTPUT",
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub output: Format,

    /// What is told on standard error of what happens inside: error, warn, info, debug, or `room=level,…`
    #[arg(
        long,
        global = true,
        env = "DROVER_LOG",
        default_value = "warn",
        value_name = "LEVEL",
        hide_short_help = true
    )]
    pub log: String,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run pipelines, or a one-liner, on this machine
    ///
    /// Every file or directory that the globs of a pipeline match is a datum. Its command runs once for each, with the inputs
    /// below `/pfs` and its output in `/pfs/out`, in a sandbox of its own. What an earlier run did is skipped. The
    /// output folder, named as the pipeline, changes only once all datums have succeeded.
    Run(Run),
    /// Put pipelines on a cluster of workers, as jobs that outlive this command
    ///
    /// The job is written to the store whole, and its id printed. From then on it is seen through by whoever
    /// coordinates: `drover serve`, or this command itself with `--wait`. Workers, wherever they are, need the same
    /// `--store` and `--broker`.
    Publish(Publish),
    /// Start the jobs of standing pipelines when their inputs change, and see published jobs through
    ///
    /// With `--broker`, workers are processes of their own (`drover-worker`). Any number of these may run; each pipeline is
    /// seen to by one of them at a time, and when that one goes another one goes on where it was. Without a broker, this
    /// process works itself, on a store in a folder. SIGTERM loses nothing: what was at work is gone on with.
    Serve(Serve),
    /// Make standing pipelines, whose jobs `serve` starts whenever their inputs change
    #[command(subcommand)]
    Create(Create),
    /// Give standing pipelines another spec
    #[command(subcommand)]
    Update(Update),
    /// End standing pipelines; what they wrote stays
    #[command(subcommand)]
    Delete(Delete),
    /// Let standing pipelines start no more jobs
    #[command(subcommand)]
    Pause(Pause),
    /// Let standing pipelines start jobs again
    #[command(subcommand)]
    Resume(Resume),
    /// List standing pipelines, or draw who reads what
    Pipelines(Pipelines),
    /// Preview the datums that a run would work on
    ///
    /// Nothing is run and no job is made. New files are read once, since the id of a datum stands for their content.
    Plan(Plan),
    /// Check pipeline specs and show every finding
    ///
    /// With `--output json` it prints the normal form of each spec: defaults left out, spellings put right.
    Validate(Validate),
    /// Print the JSON Schema of pipeline specs, for editors
    Schema,
    /// Make resources for Kubernetes of pipeline specs
    ///
    /// Prints one `Pipeline` resource for each, in YAML, or in JSON with `--output json`. Drover's operator runs it.
    Manifest(Manifest),
    /// List jobs, newest first
    Jobs(Jobs),
    /// Show one job: its state, counts and failures by cause
    Job(Job),
    /// List the datums of a job with what became of them
    ///
    /// States: queued, and finally success, failed, recovered (by `err_cmd`) or skipped (done by an earlier job). What
    /// is running or retrying counts as queued here: the page and the API of `drover serve` show who is at what.
    Datums(Datums),
    /// Show what the commands of a job printed
    ///
    /// Of all datums, each line begins with the datum's index and the attempt, `17.1 | …`; `err` stands for `err_cmd`.
    /// The log of an attempt can be seen once the attempt has ended.
    Logs(Logs),
    /// Wait until a job has ended
    ///
    /// Prints its record and exits with its code, as `run` does.
    Wait(Wait),
    /// Stop a job; what is done stays done
    ///
    /// Running commands are ended. The next run of the pipeline goes on from there.
    Stop(Stop),
    /// Run the failed datums of a job again, and only those
    ///
    /// A new job takes over what succeeded, and runs what failed, was recovered or was not reached. It refuses when
    /// the inputs have changed since: `run` takes them as they are now.
    Retry(Retry),
    /// Say why a job failed or is not moving, or why a standing pipeline starts none
    Explain(Explain),
    /// Print the completions of a shell
    Completions(Completions),
    /// Ask `serve` or a worker whether it is ready
    ///
    /// Exits with 0 if it is, else says why not. For health checks of containers that have no other tool.
    #[command(hide = true)]
    Probe(Probe),
}

/// The command line of this process, or the error that clap makes of it (`--help` is one).
pub fn parse() -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    cli.common.broker_is_typed = is_typed(&matches, "broker");
    Ok(cli)
}

/// Whether a common option stands on the command line, before the command or after it.
fn is_typed(matches: &ArgMatches, name: &str) -> bool {
    let after = matches.subcommand().map(|(_, after)| after);
    std::iter::once(matches)
        .chain(after)
        .any(|matches| matches.value_source(name) == Some(ValueSource::CommandLine))
}

/// Whether a command line that could not be parsed asked for JSON, so that its error can be JSON too.
pub fn wanted_json() -> bool {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let typed: Vec<String> = words.take_while(|word| word != "--").collect();
    let by_flag = typed.windows(2).any(|pair| pair == ["--output", "json"]);
    // A command line without the flag, so that clap tells what the environment says.
    let by_variable = Cli::try_parse_from(["drover", "schema"])
        .is_ok_and(|cli| cli.common.output == Format::Json);
    by_flag || typed.iter().any(|word| word == "--output=json") || by_variable
}

/// Whether clap's "error" is the text that was asked for.
pub fn is_help(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// The help at 100 columns, without what the environment says.
    fn help(command: &mut clap::Command) -> String {
        command.render_long_help().to_string()
    }

    #[test]
    fn the_help_of_every_command() {
        let mut cli = Cli::command()
            .term_width(100)
            .mut_args(|argument| argument.hide_env_values(true));
        cli.build();
        insta::assert_snapshot!("drover", help(&mut cli));
        for command in cli.get_subcommands_mut() {
            insta::assert_snapshot!(command.get_name().to_owned(), help(command));
        }
    }

    fn refusal(line: &str) -> String {
        Cli::try_parse_from(line.split(' '))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let rows = [
            ("drover run", "required"),
            ("drover run --glob a:/* -- x", "--out"),
            ("drover run --out o -- x", "--glob"),
            ("drover run spec.yaml -- x", "--glob"),
            (
                "drover run spec.yaml --glob a:/* --out o -- x",
                "cannot be used with",
            ),
            ("drover run --workers 0 spec.yaml", "--workers"),
            ("drover run --grace 5 spec.yaml", "25s"),
            ("drover run --input photos spec.yaml", "REPO=DIR"),
            (
                "drover plan --timeout 0s --glob a:/* --out o -- x",
                "more than zero",
            ),
            ("drover datums last --state done", "--state"),
            ("drover logs last --datum photo.jpg", "index"),
            ("drover jobs --pipeline a/b", "a/b"),
            ("drover --output xml jobs", "--output"),
            ("drover stop", "required"),
            ("drover publish", "required"),
            ("drover serve --connect-timeout 0s", "more than zero"),
            ("drover serve --http 7600", "127.0.0.1:7600"),
            ("drover serve --token secret", "--token"),
        ];
        for (line, word) in rows {
            let text = refusal(line);
            assert!(text.contains(word), "{line}: {text}");
        }
    }
}
