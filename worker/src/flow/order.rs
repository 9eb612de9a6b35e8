//! What the runner of a slot is asked for, so that one of the user's commands runs with a datum.

use std::path::PathBuf;
use std::sync::Arc;

use drover_shared::pipeline::Transform;
use jiff::Timestamp;

use super::claimed::Claimed;
use super::environment::{Surroundings, dotenv, environment, lasting_environment};
use super::placeholders::Placeholders;
use super::stage::Staged;
use crate::context::Tools;
use crate::runner::{Inputs, Order, Runner};

/// Which of the user's two commands runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// `cmd`, for the nth time, counted from 1.
    Attempt(u32),
    /// `err_cmd`, after so many attempts.
    Rescue(u32),
}

impl Role {
    /// Whether the command stays for datum after datum.
    pub(super) fn stays(self, transform: &Transform) -> bool {
        transform.datum_batching && matches!(self, Self::Attempt(_))
    }

    /// Logs are listed in the order of their names: attempts as they came, `err_cmd` last.
    pub(super) fn log_name(self, claimed: &Claimed) -> String {
        let claim = &claimed.claim;
        match self {
            Self::Attempt(attempt) => format!("{claim}.{attempt:06}.log"),
            Self::Rescue(_) => format!("{claim}.err.log"),
        }
    }
}

/// The order for `role` in the slot of `runner`, to which the datum is `fresh` or the one it had before.
pub(super) fn order(
    role: Role,
    staged: &Staged,
    fresh: bool,
    runner: &Runner,
    tools: &Tools,
) -> Order {
    let Claimed {
        job, datum, total, ..
    } = &staged.claimed;
    let settings = &tools.settings;
    let transform = &job.pipeline.transform;
    let (attempt, argv, stdin) = match role {
        Role::Attempt(attempt) => (attempt, &transform.cmd, &job.stdin),
        Role::Rescue(attempts) => (attempts, &transform.err_cmd, &job.err_stdin),
    };
    let timeout = job.pipeline.datum_timeout;
    let about = Surroundings {
        pipeline: &job.pipeline.name,
        job: job.id,
        datum,
        total: *total,
        attempt,
        deadline: timeout.and_then(|timeout| Timestamp::now().checked_add(timeout).ok()),
        worker: &settings.worker,
        pod: settings.pod.as_deref(),
        namespace: settings.namespace.as_deref(),
        pfs: runner.pfs(),
        tmp: runner.tmp(),
    };
    let (env, batch) = if role.stays(transform) {
        let asking = runner.next_datum();
        let env = lasting_environment(&job.environment, &about, &asking);
        (env, Some(dotenv(&about)))
    } else {
        (environment(&about), None)
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
        log: tools.scratch.log(&role.log_name(&staged.claimed)),
    }
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
