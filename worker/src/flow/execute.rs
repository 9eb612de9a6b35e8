//! Execute: the user's command, attempt after attempt, until one succeeds or there is none left.

use std::time::{Duration, Instant};

use drover_shared::backoff::Backoff;
use drover_shared::datum::Cause;
use drover_shared::wire::Event;
use jiff::Timestamp;

use super::claimed::Claimed;
use super::collect::{Collected, collect};
use super::mark::Mark;
use super::order::{Role, order};
use super::stage::Staged;
use crate::context::Tools;
use crate::failure::{Failure, Interruption, Trouble};
use crate::metrics;
use crate::runner::{Ending, Execution, Order, RunnerError};
use crate::slots::Lease;

/// An attempt shorter than this is not announced: whoever watches could not see it anyway, and most datums of a
/// large job are short.
const WORTH_TELLING: Duration = Duration::from_millis(200);

/// What is said of a command with `datum_batching` that ends by itself without complaint.
const PREMATURE: &str = "it exited prematurely: call `next-datum` again after each datum; after the last one the command is ended";

/// A datum whose command has had its chances.
#[derive(Debug)]
pub(super) struct Executed {
    pub(super) outcome: Outcome<Collected>,
    /// Attempts of this claim; `err_cmd` is none.
    pub(super) attempts: u32,
    pub(super) mark: Mark,
    pub(super) download_bytes: u64,
    pub(super) download_time: Duration,
    pub(super) process_time: Duration,
}

/// How a datum ends.
#[derive(Debug)]
pub(super) enum Outcome<Files> {
    /// With these files.
    Success(Files),
    /// All attempts failed, the last one for this cause, but `err_cmd` succeeded.
    Recovered(Cause),
    /// All attempts failed, the last one for this cause.
    Failed(Cause),
}

impl Executed {
    /// A datum that was not run, for this cause.
    pub(super) fn never(cause: Cause) -> Self {
        Self {
            outcome: Outcome::Failed(cause),
            attempts: 0,
            mark: Mark::default(),
            download_bytes: 0,
            download_time: Duration::ZERO,
            process_time: Duration::ZERO,
        }
    }
}

/// Runs the command in a slot until it succeeds or `datum_tries` is used up, then `err_cmd` if there is one.
pub(super) async fn execute(staged: Staged, tools: &Tools) -> Result<Executed, Failure> {
    let claimed = &staged.claimed;
    let lease = tools.slots.lease(claimed.suspicion().share());
    let lease = tools.unless_interrupted(&claimed.job, lease).await?;
    let mark = Mark::leave(claimed, tools).await?;
    let mut run = Run {
        staged: &staged,
        tools,
        lease,
        fresh: true,
        lost_runners: 0,
        process_time: Duration::ZERO,
    };
    match run.all_attempts().await {
        Ok((outcome, attempts)) => Ok(Executed {
            outcome,
            attempts,
            mark,
            download_bytes: staged.bytes,
            download_time: staged.time,
            process_time: run.process_time,
        }),
        Err(failure) => {
            mark.take_back(claimed, tools).await;
            Err(failure)
        }
    }
}

/// A datum in its slot.
struct Run<'a> {
    staged: &'a Staged,
    tools: &'a Tools,
    lease: Lease<'a>,
    /// Whether the slot's runner has yet to be given the datum's inputs.
    fresh: bool,
    /// Runners that died while they ran the datum.
    lost_runners: u32,
    process_time: Duration,
}

impl Run<'_> {
    async fn all_attempts(&mut self) -> Result<(Outcome<Collected>, u32), Failure> {
        let tries = self.staged.claimed.job.pipeline.datum_tries.get();
        let mut delays = Backoff::new();
        let mut attempt = 1;
        loop {
            let cause = match self.attempt(attempt).await {
                Ok(collected) => return Ok((Outcome::Success(collected), attempt)),
                Err(Failure::Datum(cause)) => cause,
                Err(failure) => return Err(failure),
            };
            if attempt >= tries {
                return Ok((self.rescue(cause, attempt).await?, attempt));
            }
            self.announce_retry(attempt).await?;
            let pause = tokio::time::sleep(delays.next().unwrap_or_default());
            self.tools
                .unless_interrupted(&self.staged.claimed.job, pause)
                .await?;
            attempt += 1;
        }
    }

    /// One attempt: the command, then its output.
    async fn attempt(&mut self, attempt: u32) -> Result<Collected, Failure> {
        let collected = self.run_and_collect(attempt).await;
        match &collected {
            Ok(_) => metrics::attempted(None),
            Err(Failure::Datum(cause)) => metrics::attempted(Some(cause)),
            Err(Failure::Trouble(_) | Failure::Interrupted(_)) => {}
        }
        collected
    }

    async fn run_and_collect(&mut self, attempt: u32) -> Result<Collected, Failure> {
        let execution = self.command(Role::Attempt(attempt)).await?;
        let output = execution.output;
        self.judge(Role::Attempt(attempt), execution)?;
        if !output {
            return Ok(Collected::default()); // many commands leave nothing
        }
        collect(&mut self.lease, self.staged, self.tools).await
    }

    /// Gives `err_cmd` its chance.
    async fn rescue(&mut self, cause: Cause, attempts: u32) -> Result<Outcome<Collected>, Failure> {
        if self
            .staged
            .claimed
            .job
            .pipeline
            .transform
            .err_cmd
            .is_empty()
        {
            return Ok(Outcome::Failed(cause));
        }
        let role = Role::Rescue(attempts);
        let execution = self.command(role).await;
        match execution.and_then(|execution| self.judge(role, execution)) {
            Ok(()) => Ok(Outcome::Recovered(cause)),
            Err(Failure::Datum(_)) => Ok(Outcome::Failed(cause)),
            Err(failure) => Err(failure),
        }
    }

    /// Runs one command to its end and keeps its log.
    async fn command(&mut self, role: Role) -> Result<Execution, Failure> {
        let begun = Instant::now();
        let runner = self.lease.runner().await.map_err(Trouble::Runner)?;
        let order = order(role, self.staged, self.fresh, runner, self.tools);
        let executed = self.watched(&order, role).await;
        self.process_time += match &executed {
            Ok(execution) => execution.process_time,
            Err(_) => begun.elapsed(),
        };
        let execution = executed?;
        self.keep_log(&order.log, role, &execution).await;
        Ok(execution)
    }

    /// Runs an order; when it takes long enough to be seen, says so.
    async fn watched(&mut self, order: &Order, role: Role) -> Result<Execution, Failure> {
        let Self { staged, tools, .. } = *self;
        let since = Timestamp::now();
        self.fresh = false;
        let executed = tokio::select! {
            biased;
            () = tools.tokens.hard.cancelled() => None,
            executed = self.lease.run(order, &staged.claimed.job.stopped) => Some(executed),
            never = announce_when_long(staged, tools, role, since) => match never {},
        };
        match executed {
            None => {
                self.lease.discard();
                Err(Failure::Interrupted(Interruption::CutShort))
            }
            Some(Ok(execution)) => Ok(execution),
            Some(Err(error)) => {
                self.fresh = true;
                Err(self.blame(error))
            }
        }
    }

    /// A runner that died was most likely killed by what it ran (memory, a signal): the attempt pays.
    fn blame(&mut self, error: RunnerError) -> Failure {
        if matches!(
            error,
            RunnerError::Spawn { .. } | RunnerError::NoSandbox { .. } | RunnerError::Unfit { .. }
        ) {
            return Failure::Trouble(Trouble::Runner(error));
        }
        tracing::warn!("a slot lost its runner: {error}");
        metrics::runner_died();
        self.lost_runners += 1;
        let times = self.staged.claimed.deaths + self.lost_runners;
        Failure::Datum(Cause::WorkerDied { times })
    }

    /// Whether the command succeeded; if not, what to do.
    fn judge(&self, role: Role, execution: Execution) -> Result<(), Failure> {
        let transform = &self.staged.claimed.job.pipeline.transform;
        let accepted = |code| code == 0 || transform.accept_return_code.contains(&code);
        let last_line = execution.last_line;
        Err(Failure::Datum(match execution.ending {
            Ending::Asked => return Ok(()),
            Ending::GaveUp(message) => Cause::GaveUp { message },
            Ending::Exited(code) if accepted(code) && role.stays(transform) => Cause::Exit {
                code,
                last_line: PREMATURE.to_owned(),
            },
            Ending::Exited(code) if accepted(code) => return Ok(()),
            Ending::Exited(code) => Cause::Exit { code, last_line },
            Ending::Signaled(signal) => Cause::Signal { signal, last_line },
            Ending::TimedOut => Cause::Timeout { last_line },
            Ending::NotStarted(message) => Cause::Start { message },
            Ending::Cancelled => return Err(self.tools.stopped().into()),
        }))
    }

    /// A log that cannot be kept is a pity, but no reason to fail a datum.
    async fn keep_log(&self, log: &std::path::Path, role: Role, execution: &Execution) {
        let Claimed { job, datum, .. } = &self.staged.claimed;
        if let Some(trouble) = &execution.log_trouble {
            tracing::warn!(job.id = %job.id, datum.index, "a log is incomplete: {trouble}");
        }
        if execution.log_bytes == 0 {
            return;
        }
        let name = role.log_name(&self.staged.claimed);
        if let Err(error) = self
            .tools
            .ledger
            .save_log(job.id, datum.index, &name, log)
            .await
        {
            tracing::warn!(job.id = %job.id, datum.index, "a log is lost: {error}");
        }
    }

    async fn announce_retry(&self, attempt: u32) -> Result<(), Failure> {
        let Claimed {
            job,
            datum,
            redeliveries,
            ..
        } = &self.staged.claimed;
        let worker = self.tools.settings.worker.clone();
        let event = Event::Retrying {
            index: datum.index,
            attempt,
            worker,
        };
        self.tools.report(job, *redeliveries, event).await
    }
}

/// Tells the coordinator of an attempt that is worth telling of, then waits for ever.
async fn announce_when_long(
    staged: &Staged,
    tools: &Tools,
    role: Role,
    since: Timestamp,
) -> std::convert::Infallible {
    let Claimed {
        job,
        datum,
        redeliveries,
        ..
    } = &staged.claimed;
    if let Role::Attempt(attempt) = role {
        tokio::time::sleep(WORTH_TELLING).await;
        let worker = tools.settings.worker.clone();
        let event = Event::Running {
            index: datum.index,
            attempt,
            worker,
            since,
        };
        if tools.report(job, *redeliveries, event).await.is_err() {
            tracing::debug!(job.id = %job.id, datum.index, "a running attempt was not announced");
        }
    }
    std::future::pending().await
}
