//! Mistakes of the user, and jobs that do not allow a command.

use std::path::PathBuf;

use drover_shared::id::{JobId, LimitName, PipelineName};
use drover_shared::pipeline::{Finding, count_findings};

use crate::render::SourceText;

/// A refused request; nothing was done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
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
    /// A bucket without a broker.
    #[error(
        "a store in a bucket needs a broker: nothing else keeps two services apart; \
         give --broker URL, or a store in a folder"
    )]
    BucketAlone,
    /// The job is still active.
    #[error("job {} is still {state}; wait for the job, or stop it, and try again", .job.short())]
    NotEnded {
        /// The job.
        job: JobId,
        /// State of the job.
        state: String,
    },
    /// A pipeline without a job.
    #[error("no job of pipeline {0} is in this store; `drover jobs` lists the jobs")]
    NoJobOf(PipelineName),
    /// An unknown limit.
    #[error("there is no limit {0}; define it by `drover limit {0} --running N`")]
    NoLimit(LimitName),
    /// An unknown datum.
    #[error("job {0} has no datum {datum}; `drover datums {0}` lists them", .job.short())]
    NoDatum {
        /// The job.
        job: JobId,
        /// The datum on the command line.
        datum: String,
    },
    /// A path that several datums read.
    #[error("{count} datums of job {} read {path:?}; choose one by its index: {candidates}", .job.short())]
    SeveralDatums {
        /// The job.
        job: JobId,
        /// The path on the command line.
        path: String,
        /// How many datums read it.
        count: usize,
        /// Indexes of the first of them.
        candidates: String,
    },
    /// A command needs a broker, and none is named.
    #[error(
        "no broker is named; give --broker URL or set DROVER_BROKER, for example amqp://user:password@host. \
         Without a broker, `drover run` runs pipelines on this machine, and `drover create pipeline` registers them \
         for `drover serve`"
    )]
    NoBroker,
    /// The broker cannot serve the pipeline.
    #[error("the broker cannot serve {pipeline}: {problem}")]
    Unfit {
        /// The pipeline.
        pipeline: PipelineName,
        /// Description of the obstacle, and how to solve it.
        problem: String,
    },
    /// A place or file that `put` does not take.
    #[error("{place} {problem}")]
    Place {
        /// The place.
        place: String,
        /// Description of the problem, and the way out.
        problem: String,
    },
    /// An invalid or unreadable token.
    #[error("{place}: {problem}")]
    Token {
        /// Name of the variable or file.
        place: String,
        /// Description of the problem, without the token.
        problem: String,
    },
}

impl UsageError {
    /// An error about a place or file that `put` does not take.
    pub(crate) fn place(place: &impl ToString, problem: impl Into<String>) -> anyhow::Error {
        let (place, problem) = (place.to_string(), problem.into());
        Self::Place { place, problem }.into()
    }

    /// Field `kind` of the error in JSON.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Spec { .. } => "spec",
            Self::SpecFile { .. }
            | Self::Clock { .. }
            | Self::Override { .. }
            | Self::BucketAlone
            | Self::NoLimit(_)
            | Self::NoBroker
            | Self::Place { .. }
            | Self::Token { .. } => "usage",
            Self::NoJobOf(_) => "pipeline",
            Self::Unfit { .. } => "broker",
            Self::NotEnded { .. } | Self::NoDatum { .. } | Self::SeveralDatums { .. } => "job",
        }
    }
}

fn refused(findings: &[Finding]) -> String {
    match findings {
        [one] => format!("the spec is not valid: {one}"),
        several => format!("the spec is not valid: {}", count_findings(several)),
    }
}
