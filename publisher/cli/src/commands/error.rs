//! Every way a command can fail, and the exit code of each.

use std::error::Error;
use std::path::PathBuf;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::ledger::{ReferenceError, RegistryError};
use drover_shared::pipeline::Finding;
use drover_shared::process::ProbeError;
use drover_shared::queue::QueueError;
use drover_shared::queue::rabbitmq::InvalidAddress;
use drover_shared::store::StoreError;
use drover_worker::WorkError;

use crate::commands::spec::one_liner::OneLinerError;
use crate::exit::Exit;
use crate::render::SourceText;
use drover_api::AccessError;
use drover_core::catalog::{GroupError, LogError, OrderError, RetryError, SubmitError};
use drover_core::coordinator::CoordinateError;
use drover_core::expand::ExpandError;
use drover_core::local::LocalError;

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Specs are wrong.
    #[error("{}", refused(findings))]
    Spec {
        /// What is wrong with them.
        findings: Vec<Finding>,
        /// Their texts.
        sources: Vec<SourceText>,
    },
    /// A spec cannot be read.
    #[error("cannot read the spec {}: {problem}", path.display())]
    SpecFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the way out.
        problem: String,
    },
    /// A one-liner makes no sense.
    #[error(transparent)]
    OneLiner(#[from] OneLinerError),
    /// Several specs don't fit together.
    #[error(transparent)]
    Chain(#[from] OrderError),
    /// A clock ticks only for a registered pipeline.
    #[error(
        "{pipeline} has the cron input {input:?}, which ticks for registered pipelines only; \
         `drover create pipeline` makes it one, and `drover serve` starts its jobs"
    )]
    Clock {
        /// The pipeline.
        pipeline: PipelineName,
        /// Name of the input.
        input: String,
    },
    /// `--input` names no input.
    #[error("--input {repo}=…: no spec here reads a repo called {repo:?}; they read {known}")]
    Override {
        /// The repo that was named.
        repo: String,
        /// Those that are there.
        known: String,
    },
    /// A registered pipeline is not as expected.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A bucket without a broker.
    #[error(
        "a store in a bucket is served with a broker only: nothing else keeps two services apart; \
         give --broker URL, or a store in a folder"
    )]
    BucketAlone,
    /// No such job.
    #[error(transparent)]
    Job(#[from] ReferenceError),
    /// The job is not over.
    #[error("job {job} is still {state}; wait for it, or stop it, and try again")]
    NotEnded {
        /// The job.
        job: JobId,
        /// What it does.
        state: String,
    },
    /// The failures of one cause cannot be retried.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// No such datum in the job.
    #[error("job {job} has no datum {datum}; `drover datums {job}` lists them")]
    NoDatum {
        /// The job.
        job: JobId,
        /// The datum as typed.
        datum: String,
    },
    /// An input cannot be expanded.
    #[error(transparent)]
    Expand(#[from] ExpandError),
    /// A job could not be seen through.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// No broker was named.
    #[error(
        "no broker is named; give --broker URL or set DROVER_BROKER, for example amqp://user:password@host"
    )]
    NoBroker,
    /// The broker's URL makes no sense.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// The broker is not fit for the pipeline.
    #[error("the broker is not fit for {pipeline}: {problem}")]
    Unfit {
        /// The pipeline.
        pipeline: PipelineName,
        /// What is in the way, and the way out.
        problem: String,
    },
    /// The broker.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The address for probes cannot be had.
    #[error("cannot listen on {address}; give --listen another address")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The refusal.
        #[source]
        source: std::io::Error,
    },
    /// The address for the page cannot be had.
    #[error("cannot show the page at {address}; give --http another address, or none")]
    Page {
        /// The address.
        address: std::net::SocketAddr,
        /// The refusal.
        #[source]
        source: std::io::Error,
    },
    /// The page must not be shown like that.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A token makes no sense, or cannot be read.
    #[error("{place}: {problem}")]
    Token {
        /// The variable or the file.
        place: String,
        /// What is wrong, without the token.
        problem: String,
    },
    /// The worker of this command.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A process that was probed.
    #[error(transparent)]
    NotReady(#[from] ProbeError),
    /// Standard output.
    #[error("cannot write to standard output")]
    Output(#[from] std::io::Error),
    /// The operating system.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

impl From<SubmitError> for CommandError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Store(error) => error.into(),
            SubmitError::Queue(error) => error.into(),
        }
    }
}

impl From<RetryError> for CommandError {
    fn from(error: RetryError) -> Self {
        match error {
            RetryError::Store(error) => error.into(),
            RetryError::Group(error) => error.into(),
            RetryError::Spec(found) => Self::Spec {
                findings: found.0,
                sources: Vec::new(),
            },
        }
    }
}

impl From<LogError> for CommandError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Store(error) => error.into(),
            LogError::Io(error) => error.into(),
        }
    }
}

impl CommandError {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Success,
            Self::Store(error)
            | Self::Job(ReferenceError::Store(error))
            | Self::Registry(RegistryError::Store(error)) => exit_of_store(error),
            Self::Expand(error) => exit_of_expand(error),
            Self::Local(error) => exit_of_local(error),
            Self::Output(_)
            | Self::System { .. }
            | Self::Listen { .. }
            | Self::Page { .. }
            | Self::Queue(_)
            | Self::Work(_)
            | Self::NotReady(_) => Exit::Unreachable,
            _ => Exit::Usage,
        }
    }

    /// The `kind` of the error as JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Spec { .. } => "spec",
            Self::SpecFile { .. }
            | Self::OneLiner(_)
            | Self::Chain(_)
            | Self::Override { .. }
            | Self::Clock { .. }
            | Self::BucketAlone
            | Self::NoBroker
            | Self::Access(_)
            | Self::Token { .. }
            | Self::Address(_) => "usage",
            Self::Queue(_) | Self::Unfit { .. } => "broker",
            Self::Registry(RegistryError::Missing(_) | RegistryError::Exists(_)) => "pipeline",
            Self::Store(_)
            | Self::Job(ReferenceError::Store(_))
            | Self::Registry(RegistryError::Store(_)) => "store",
            Self::Job(_) | Self::NotEnded { .. } | Self::Group(_) | Self::NoDatum { .. } => "job",
            Self::Expand(_) => "input",
            Self::NotReady(_) => "probe",
            Self::Local(_) | Self::Work(_) => "run",
            Self::Output(_) | Self::System { .. } | Self::Listen { .. } | Self::Page { .. } => {
                "system"
            }
        }
    }
}

/// A job that is refused is the caller's business; for one that broke off, the cause tells whose it is.
fn exit_of_local(error: &LocalError) -> Exit {
    let is_refused = matches!(
        error,
        LocalError::Busy { .. }
            | LocalError::OnBroker { .. }
            | LocalError::Coordinate(
                CoordinateError::Incomplete { .. } | CoordinateError::Changed { .. }
            )
    );
    if is_refused {
        return Exit::Usage;
    }
    let mut link: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = link {
        if let Some(error) = cause.downcast_ref() {
            return exit_of_expand(error);
        }
        if let Some(error) = cause.downcast_ref() {
            return exit_of_store(error);
        }
        link = cause.source();
    }
    Exit::Unreachable
}

fn exit_of_expand(error: &ExpandError) -> Exit {
    match error {
        ExpandError::List { source, .. } | ExpandError::Read { source, .. } => {
            exit_of_store(source)
        }
        _ => Exit::Usage,
    }
}

/// A place that was named wrongly is the caller's mistake; one that does not answer is not.
fn exit_of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Missing { .. }
        | StoreError::Changed { .. }
        | StoreError::Exists { .. }
        | StoreError::Name { .. }
        | StoreError::Irregular { .. }
        | StoreError::Location { .. } => Exit::Usage,
        StoreError::Denied { .. }
        | StoreError::Full { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Unavailable { .. } => Exit::Unreachable,
    }
}

fn refused(findings: &[Finding]) -> String {
    match findings {
        [one] => format!("the spec is not valid: {one}"),
        several => format!("the spec is not valid: {} findings", several.len()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error as IoError, ErrorKind};

    use drover_shared::store::StoreKey;

    use super::*;

    fn no_folder() -> ExpandError {
        ExpandError::NoRepo {
            input: "in".to_owned(),
            repo: "in".to_owned(),
            folder: "/in".into(),
        }
    }

    fn down() -> StoreError {
        StoreError::Unavailable {
            key: StoreKey::root(),
            source: "no route to host".into(),
        }
    }

    #[test]
    fn every_way_to_fail_has_its_exit_code() {
        let missing = StoreError::Missing {
            key: StoreKey::root(),
        };
        let coordinate = |error| CommandError::Local(LocalError::Coordinate(error));
        let rows = [
            (IoError::from(ErrorKind::BrokenPipe).into(), Exit::Success),
            (
                IoError::from(ErrorKind::StorageFull).into(),
                Exit::Unreachable,
            ),
            (missing.into(), Exit::Usage),
            (down().into(), Exit::Unreachable),
            (CommandError::Job(ReferenceError::NoJobs), Exit::Usage),
            (
                CommandError::Job(ReferenceError::Store(down())),
                Exit::Unreachable,
            ),
            (no_folder().into(), Exit::Usage),
            (LocalError::Begin(down()).into(), Exit::Unreachable),
            (
                coordinate(CoordinateError::Expand(no_folder())),
                Exit::Usage,
            ),
            (
                coordinate(CoordinateError::Store(down())),
                Exit::Unreachable,
            ),
        ];
        for (error, exit) in rows {
            let error: CommandError = error;
            assert_eq!(error.exit(), exit, "{error:?}");
        }
    }
}
