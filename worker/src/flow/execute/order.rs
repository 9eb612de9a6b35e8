//! The order to a slot's runner: one of the user's commands, with one datum.

use std::path::PathBuf;
use std::sync::Arc;

use drover_shared::datum::Datum;
use drover_shared::pipeline::{Input, Transform};
use drover_shared::process::telemetry::trace_context;
use jiff::Timestamp;
use tracing::Span;

use super::environment::{AttemptContext, dotenv, environment, lasting_environment};
use super::placeholders::Placeholders;
use crate::context::WorkerContext;
use crate::flow::claimed::ClaimedDatum;
use crate::flow::stage::StagedDatum;
use crate::runner::{Inputs, Order, Runner};

/// The command of the spec that runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CommandRole {
    /// `cmd`, for the nth time, counted from 1.
    Attempt(u32),
    /// `err_cmd`, after so many attempts.
    Rescue(u32),
}

impl CommandRole {
    /// True if the command processes one datum after the other (`datum_batching`).
    pub(super) fn stays(self, transform: &Transform) -> bool {
        transform.datum_batching && matches!(self, Self::Attempt(_))
    }

    /// The name of the log. Logs are listed by name: attempts in their order, `err_cmd` last.
    pub(super) fn log_name(self, claimed: &ClaimedDatum) -> String {
        let claim = &claimed.claim;
        match self {
            Self::Attempt(attempt) => format!("{claim}.{attempt:06}.log"),
            Self::Rescue(_) => format!("{claim}.err.log"),
        }
    }
}

/// The order for `role`. `fresh` is true if the runner has not been given the inputs of the datum.
pub(super) fn order(
    role: CommandRole,
    staged: &StagedDatum,
    fresh: bool,
    runner: &Runner,
    context: &WorkerContext,
) -> Order {
    let ClaimedDatum {
        job,
        datum,
        total,
        trace,
        ..
    } = &staged.claimed;
    let settings = &context.settings;
    let transform = &job.pipeline.transform;
    let (number, argv, stdin) = match role {
        CommandRole::Attempt(attempt) => (attempt, &transform.cmd, &job.stdin),
        CommandRole::Rescue(attempts) => (attempts, &transform.err_cmd, &job.err_stdin),
    };
    let timeout = job.pipeline.datum_timeout;
    let attempt_context = AttemptContext {
        pipeline: &job.pipeline.name,
        job: job.id,
        datum,
        total: *total,
        number,
        deadline: timeout.and_then(|timeout| Timestamp::now().checked_add(timeout).ok()),
        trace: trace_context(&Span::current()).or_else(|| trace.clone()),
        worker: &settings.worker,
        pod: settings.pod.as_deref(),
        namespace: settings.namespace.as_deref(),
        pfs: runner.pfs(),
        tmp: runner.tmp(),
    };
    let (env, batch) = if role.stays(transform) {
        let asking = runner.next_datum();
        let env = lasting_environment(&job.environment, &attempt_context, &asking);
        (env, Some(dotenv(&attempt_context)))
    } else {
        (environment(&attempt_context), None)
    };
    let inputs = if fresh {
        Inputs::Fresh(staged.mounts.clone())
    } else {
        Inputs::Same
    };
    Order {
        inputs,
        argv: filled(
            argv,
            transform,
            &Placeholders {
                datum,
                pfs: runner.pfs(),
                glob_directory: glob_directory(datum, &job.pipeline.input),
            },
        ),
        base: Arc::clone(&job.environment),
        env,
        stdin: stdin.clone(),
        user: transform.user.clone(),
        working_dir: transform.working_dir.clone().map(PathBuf::from),
        timeout,
        grace: settings.term_grace,
        batch,
        memory_limit: None,
        log: context.scratch.log(&role.log_name(&staged.claimed)),
    }
}

/// The directory of the first input's glob before the first wildcard.
fn glob_directory<'a>(datum: &Datum, input: &'a Input) -> &'a str {
    let first = datum.inputs.first().map(|input| input.leaf);
    let leaf = input
        .leaves()
        .into_iter()
        .find(|leaf| Some(leaf.leaf) == first);
    leaf.map_or("", |leaf| leaf.glob.directory())
}

fn filled(argv: &[String], transform: &Transform, placeholders: &Placeholders<'_>) -> Vec<String> {
    if transform.placeholders {
        argv.iter()
            .map(|argument| placeholders.fill(argument))
            .collect()
    } else {
        argv.to_vec()
    }
}
