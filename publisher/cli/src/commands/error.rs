//! Errors of commands, with their exit codes.

use std::error::Error;
use std::path::PathBuf;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::ledger::{ReferenceError, RegistryError};
use drover_shared::pipeline::{Finding, count_findings};
use drover_shared::process::ProbeError;
use drover_shared::queue::QueueError;
use drover_shared::queue::rabbitmq::InvalidAddress;
use drover_shared::store::StoreError;
use drover_worker::WorkError;

use crate::commands::spec::one_liner::OneLinerError;
use crate::exit::Exit;
use crate::render::SourceText;
use drover_api::{AccessError, StoredTokenError};
use drover_core::catalog::{GroupError, LogError, OrderError, RedoError, RetryError, SubmitError};
use drover_core::coordinator::CoordinateError;
use drover_core::expand::ExpandError;
use drover_core::leader::LeadError;

/// An error of a command.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Invalid specs.
    #[error("{}", refused(findings))]
    Spec {
        /// The findings.
        findings: Vec<Finding>,
        /// Texts of the specs.
        sources: Vec<SourceText>,
    },
    /// An unreadable spec.
    #[error("cannot read the spec {}: {problem}", path.display())]
    SpecFile {
        /// The file.
        path: PathBuf,
        /// Description of the problem, and how to solve it.
        problem: String,
    },
    /// An unreadable list of files.
    #[error("cannot read --files-from {}", list.display())]
    FileList {
        /// The list as typed.
        list: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// An invalid one-liner.
    #[error(transparent)]
    OneLiner(#[from] OneLinerError),
    /// Specs that read each other in a circle, or twice the same name.
    #[error(transparent)]
    Chain(#[from] OrderError),
    /// A cron input in a job that a person starts.
    #[error(
        "{pipeline} has the cron input {input:?}, which ticks for registered pipelines only; \
         `drover create pipeline` registers it, and `drover serve` starts its jobs"
    )]
    Clock {
        /// The pipeline.
        pipeline: PipelineName,
        /// Name of the cron input.
        input: String,
    },
    /// `--input` names no repo of the specs.
    #[error("--input {repo}=…: no spec here reads a repo called {repo:?}; they read {known}")]
    Override {
        /// The named repo.
        repo: String,
        /// Repos of the specs.
        known: String,
    },
    /// A registered pipeline is missing, or exists already.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A bucket without a broker.
    #[error(
        "a store in a bucket needs a broker: nothing else keeps two services apart; \
         give --broker URL, or a store in a folder"
    )]
    BucketAlone,
    /// An unknown job.
    #[error(transparent)]
    Job(#[from] ReferenceError),
    /// The job is still active.
    #[error("job {job} is still {state}; wait for the job, or stop it, and try again")]
    NotEnded {
        /// The job.
        job: JobId,
        /// State of the job.
        state: String,
    },
    /// An unknown group of failures.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The file of a report cannot be written.
    #[error("cannot write the report to {}", file.display())]
    ReportFile {
        /// The file.
        file: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Successes could not be forgotten.
    #[error(transparent)]
    Redo(#[from] RedoError),
    /// An unknown datum.
    #[error("job {job} has no datum {datum}; `drover datums {job}` lists them")]
    NoDatum {
        /// The job.
        job: JobId,
        /// The datum on the command line.
        datum: String,
    },
    /// An input cannot be expanded.
    #[error(transparent)]
    Expand(#[from] ExpandError),
    /// A local job broke off.
    #[error(transparent)]
    Lead(#[from] LeadError),
    /// A command needs a broker, and none is named.
    #[error(
        "no broker is named; give --broker URL or set DROVER_BROKER, for example amqp://user:password@host. \
         Without a broker, `drover run` runs pipelines on this machine, and `drover create pipeline` registers them \
         for `drover serve`"
    )]
    NoBroker,
    /// An invalid URL of a broker.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// The broker cannot serve the pipeline.
    #[error("the broker cannot serve {pipeline}: {problem}")]
    Unfit {
        /// The pipeline.
        pipeline: PipelineName,
        /// Description of the obstacle, and how to solve it.
        problem: String,
    },
    /// The broker.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The address for probes cannot be bound.
    #[error("cannot listen on {address}; give --listen another address")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The address of the page cannot be bound.
    #[error("cannot listen on {address} for the page; give --http another address, or none")]
    Page {
        /// The address.
        address: std::net::SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The page would be unsafe.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The token of the store cannot be used.
    #[error(transparent)]
    StoredToken(#[from] StoredTokenError),
    /// An invalid or unreadable token.
    #[error("{place}: {problem}")]
    Token {
        /// Name of the variable or file.
        place: String,
        /// Description of the problem, without the token.
        problem: String,
    },
    /// The worker inside the command failed.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The probed process is not ready.
    #[error(transparent)]
    NotReady(#[from] ProbeError),
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Output(#[from] std::io::Error),
    /// A system call failed.
    #[error("cannot {what}")]
    System {
        /// The attempted action.
        what: &'static str,
        /// The cause.
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
    /// Exit code of a command that ends with the error.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Success,
            Self::StoredToken(StoredTokenError::Store(error))
            | Self::Redo(RedoError::Store(error))
            | Self::Store(error)
            | Self::Job(ReferenceError::Store(error))
            | Self::Registry(RegistryError::Store(error)) => exit_of_store(error),
            Self::Expand(error) => exit_of_expand(error),
            Self::Lead(error) => exit_of_lead(error),
            Self::ReportFile { .. }
            | Self::Output(_)
            | Self::System { .. }
            | Self::Listen { .. }
            | Self::Page { .. }
            | Self::Queue(_)
            | Self::Work(_)
            | Self::NotReady(_) => Exit::Unreachable,
            _ => Exit::Usage,
        }
    }

    /// Field `kind` of the error in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Spec { .. } => "spec",
            Self::SpecFile { .. }
            | Self::FileList { .. }
            | Self::OneLiner(_)
            | Self::Chain(_)
            | Self::Override { .. }
            | Self::Clock { .. }
            | Self::BucketAlone
            | Self::NoBroker
            | Self::Access(_)
            | Self::StoredToken(_)
            | Self::Token { .. }
            | Self::Address(_)
            | Self::Redo(RedoError::Glob(_)) => "usage",
            Self::Queue(_) | Self::Unfit { .. } => "broker",
            Self::Registry(RegistryError::Missing(_) | RegistryError::Exists(_))
            | Self::Redo(RedoError::Unknown(_)) => "pipeline",
            Self::Store(_)
            | Self::Redo(RedoError::Store(_))
            | Self::Job(ReferenceError::Store(_))
            | Self::Registry(RegistryError::Store(_)) => "store",
            Self::Redo(RedoError::Busy(_))
            | Self::Job(_)
            | Self::NotEnded { .. }
            | Self::Group(_)
            | Self::NoDatum { .. } => "job",
            Self::Expand(_) => "input",
            Self::NotReady(_) => "probe",
            Self::Lead(_) | Self::Work(_) => "run",
            Self::ReportFile { .. }
            | Self::Output(_)
            | Self::System { .. }
            | Self::Listen { .. }
            | Self::Page { .. } => "system",
        }
    }
}

/// A refused job is a usage error; for a broken job, the cause decides.
fn exit_of_lead(error: &LeadError) -> Exit {
    let is_refused = matches!(
        error,
        LeadError::Busy { .. }
            | LeadError::OnBroker { .. }
            | LeadError::Coordinate(
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

/// A wrong place is a usage error; a store that does not answer is not.
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
        several => format!("the spec is not valid: {}", count_findings(several)),
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
        let coordinate = |error| CommandError::Lead(LeadError::Coordinate(error));
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
            (LeadError::Begin(down()).into(), Exit::Unreachable),
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
