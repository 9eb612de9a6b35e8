//! Execute: runs the user's command until an attempt succeeds or `datum_tries` is used up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use drover_shared::backoff::Backoff;
use drover_shared::datum::{Cause, ResourceUsage};
use drover_shared::pipeline::Limit;
use drover_shared::process::telemetry::TRACE_TARGET;
use drover_shared::units::total_bytes;
use drover_shared::wire::{Event, Report};
use jiff::Timestamp;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::claimed::ClaimedDatum;
use super::collect::{CollectedOutput, collect};
use super::evidence::{AttemptMark, noting_waste};
use super::live_log::GrowingLog;
use super::memory::{
    AfterShortage, AttemptEnd, MemoryTries, check_room, demand, expected_memory, lacked_memory,
    leave_to_larger, usage_of,
};
use super::order::{CommandRole, order};
use super::overtaken::until_overtaken;
use super::scratch_check::check_scratch;
use super::stage::{InputCheck, StagedDatum};
use crate::context::WorkerContext;
use crate::flow_error::{FlowError, InfrastructureError, Interruption};
use crate::jobs::{CodeCheck, CodeMoment};
use crate::memory::SeenMemory;
use crate::metrics;
use crate::runner::{Ending, Execution, Order, RunnerError};
use crate::slots::{SeenRun, SlotLease, VISIBLE_DEVICES};

/// An attempt shorter than this is not reported as running: nobody could see it, and most datums of a large job are
/// short.
const REPORT_AFTER: Duration = Duration::from_millis(200);

/// The pause after the first failed attempt, on average. A mistake in the command is seen soon; trouble that passes meets
/// the later attempts, whose pauses double.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The reason of the failure if a command with `datum_batching` exits with an accepted code.
const PREMATURE: &str = "it exited prematurely: call `next-datum` again after each datum; after the last one the command is ended";

/// A datum after its last attempt.
#[derive(Debug)]
pub(super) struct ExecutedDatum {
    pub(super) outcome: DatumOutcome<CollectedOutput>,
    /// Attempts of this claim, without `err_cmd`.
    pub(super) attempts: u32,
    pub(super) mark: AttemptMark,
    pub(super) download_bytes: u64,
    pub(super) download_time: Duration,
    pub(super) process_time: Duration,
    /// Resources that the commands used; none if no command ran.
    pub(super) usage: Option<ResourceUsage>,
}

/// The outcome of a datum.
#[derive(Debug)]
pub(super) enum DatumOutcome<Files> {
    /// An attempt succeeded and wrote the files.
    Success(Files),
    /// All attempts failed, but `err_cmd` succeeded; the cause is of the last attempt.
    Recovered(Cause),
    /// All attempts failed; the cause is of the last attempt.
    Failed(Cause),
}

impl ExecutedDatum {
    /// A datum that fails for the cause without an attempt.
    pub(super) fn never(cause: Cause) -> Self {
        Self {
            outcome: DatumOutcome::Failed(cause),
            attempts: 0,
            mark: AttemptMark::default(),
            download_bytes: 0,
            download_time: Duration::ZERO,
            process_time: Duration::ZERO,
            usage: None,
        }
    }
}

/// Runs the command in a slot until it succeeds or `datum_tries` is used up, then `err_cmd` if there is one. None if another
/// worker committed the datum while the current one waited for the slot.
pub(super) async fn execute(
    mut staged: StagedDatum,
    context: &WorkerContext,
) -> Result<Option<ExecutedDatum>, FlowError> {
    let claimed = staged.claimed.clone();
    check_room(&claimed, staged.bytes, context).await?;
    let pipeline = &claimed.job.pipeline;
    let memory = MemoryTries::new(
        expected_memory(&claimed, context).max(claimed.too_little.saturating_mul(2)),
        context.slots.all().memory,
        pipeline.memory_tries,
    );
    let lease = lease(&claimed, memory.need(), context);
    let lease = claimed.recalled.run_until_cancelled(lease);
    let lease = claimed.claim_lost.run_until_cancelled(lease);
    let lease = context.before_begin(&claimed.job, lease).await?;
    // The broker gives the datum to another worker, or to the current one once more.
    let lease = lease.ok_or(Interruption::ClaimLost)?;
    let lease = lease.ok_or(Interruption::Recalled)?;
    if claimed.is_repeated() && claimed.committed(&context.ledger).await?.is_some() {
        return Ok(None);
    }
    let _running = context.pace.begin();
    let _in_set = claimed.set.as_ref().map(|set| set.run(claimed.datum.index));
    let mut mark = AttemptMark::leave(&claimed, context).await?;
    let (download_bytes, download_time) = (staged.bytes, staged.time);
    let mut run = DatumRun {
        staged: &mut staged,
        context,
        lease,
        fresh: true,
        lost_runners: 0,
        process_time: Duration::ZERO,
        usage: None,
        memory,
    };
    // Boxed: the future of an attempt is large.
    let attempts = Box::pin(noting_waste(run.all_attempts(), &claimed, context));
    let attempts = until_overtaken(attempts, &claimed, context);
    match mark.while_evidence(attempts, &claimed, context).await {
        Ok((outcome, attempts)) => {
            context.pace.ended(run.process_time, download_time);
            Ok(Some(ExecutedDatum {
                outcome,
                attempts,
                mark,
                download_bytes,
                download_time,
                process_time: run.process_time,
                usage: run.usage,
            }))
        }
        Err(failure) => {
            mark.remove(&claimed, context).await;
            Err(failure)
        }
    }
}

/// Waits for a slot and `memory` bytes, in the order of the pipelines.
async fn lease<'a>(
    claimed: &ClaimedDatum,
    memory: u64,
    context: &'a WorkerContext,
) -> SlotLease<'a> {
    let pipeline = &claimed.job.pipeline;
    let demanded = demand(claimed, memory, context);
    let weight = context.weights.of(pipeline);
    context.slots.lease(&pipeline.name, weight, demanded).await
}

/// A datum in its slot.
struct DatumRun<'a> {
    staged: &'a mut StagedDatum,
    context: &'a WorkerContext,
    lease: SlotLease<'a>,
    /// True until the slot's runner has been given the datum's inputs.
    fresh: bool,
    /// Number of runners that died while running the datum.
    lost_runners: u32,
    process_time: Duration,
    usage: Option<ResourceUsage>,
    memory: MemoryTries,
}

/// A command that ended.
struct EndedCommand {
    execution: Execution,
    /// Bytes of memory that the command held when it was ended for want of memory.
    lacked: Option<u64>,
    /// Bytes in scratch when the command was ended for them.
    filled: Option<u64>,
}

/// A failed attempt.
struct FailedAttempt {
    cause: Cause,
    /// True if no other attempt can succeed.
    is_final: bool,
}

impl DatumRun<'_> {
    async fn all_attempts(&mut self) -> Result<(DatumOutcome<CollectedOutput>, u32), FlowError> {
        let tries = self.staged.claimed.job.pipeline.datum_tries.get();
        let mut delays = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
        let (mut attempt, mut failures) = (1, 0);
        loop {
            let FailedAttempt { cause, is_final } = match self.attempt(attempt).await? {
                Ok(collected) => return Ok((DatumOutcome::Success(collected), attempt)),
                Err(failed) => failed,
            };
            let lacked = match cause {
                Cause::Memory { bytes, .. } => Some(self.memory.after(bytes)),
                _ => None,
            };
            failures += u32::from(lacked.is_none());
            let is_over = match lacked {
                Some(after) => after != AfterShortage::Again,
                None => is_final || failures >= tries,
            };
            if is_over {
                let cause = self.with_reason(cause, lacked).await?;
                return Ok((self.rescue(cause, attempt).await?, attempt));
            }
            if self.staged.claimed.claim_lost.is_cancelled() {
                return Err(Interruption::ClaimLost.into());
            }
            self.report_retry(attempt).await?;
            let claimed = self.staged.claimed.clone();
            let waiting = async {
                match lacked {
                    Some(_) => self.lease_again().await,
                    None => self.pause(delays.next().unwrap_or_default()).await,
                }
            };
            let waiting = claimed.command_over.run_until_cancelled(waiting);
            let waited = claimed.claim_lost.run_until_cancelled(waiting).await;
            let waited = waited.ok_or(Interruption::ClaimLost)?;
            waited.ok_or_else(|| claimed.command_end(self.context))??;
            attempt += 1;
        }
    }

    /// The cause, with the memory of the largest worker if the command had all of its own. An error hands the datum to a
    /// larger worker.
    async fn with_reason(
        &self,
        cause: Cause,
        lacked: Option<AfterShortage>,
    ) -> Result<Cause, FlowError> {
        let Cause::Memory {
            bytes, input_bytes, ..
        } = cause
        else {
            return Ok(cause);
        };
        let most = match lacked {
            Some(AfterShortage::TooLarge) => {
                Some(leave_to_larger(&self.staged.claimed, bytes, self.context).await?)
            }
            _ => None,
        };
        Ok(Cause::Memory {
            bytes,
            input_bytes,
            most,
        })
    }

    /// Gives the slot back, and waits for another one with the memory for the next attempt.
    async fn lease_again(&mut self) -> Result<(), FlowError> {
        let claimed = &self.staged.claimed;
        self.lease.give_back();
        self.fresh = true;
        let lease = lease(claimed, self.memory.need(), self.context);
        self.lease = self.context.unless_interrupted(&claimed.job, lease).await?;
        Ok(())
    }

    /// Waits before the next attempt. Other datums may use the slot meanwhile.
    async fn pause(&mut self, pause: Duration) -> Result<(), FlowError> {
        let claimed = &self.staged.claimed;
        if !claimed.job.pipeline.transform.datum_batching {
            self.lease.pause();
        }
        let slot = async {
            tokio::time::sleep(pause).await;
            self.lease.resume().await;
        };
        self.context.unless_interrupted(&claimed.job, slot).await
    }

    /// One attempt: run the command, collect the output, check the inputs again.
    async fn attempt(
        &mut self,
        attempt: u32,
    ) -> Result<Result<CollectedOutput, FailedAttempt>, FlowError> {
        let begun = self.staged.claimed.job.code.moment();
        let collected = match self.run_and_collect(attempt).await {
            Ok(collected) => Ok(collected),
            Err(FlowError::Datum(cause)) => {
                self.exclude_scratch_trouble().await?;
                Err(FailedAttempt {
                    is_final: matches!(cause, Cause::Start { .. }),
                    cause,
                })
            }
            Err(failure) => return Err(failure),
        };
        let collected = match self.staged.check_inputs().await? {
            InputCheck::Unchanged => collected,
            InputCheck::Touched(input) => Err(void_attempt(&format!("input {input}"), false)),
            InputCheck::Changed(input) => Err(void_attempt(&format!("input {input}"), true)),
        };
        let collected = match self.check_code(begun).await? {
            CodeCheck::Unchanged => collected,
            CodeCheck::Touched(file) => Err(void_attempt(&format!("code file {file}"), false)),
            CodeCheck::Changed(file) => Err(void_attempt(&format!("code file {file}"), true)),
        };
        metrics::attempted(collected.as_ref().err().map(|failed| &failed.cause));
        Ok(collected)
    }

    /// Fails if the scratch directory may be to blame for a failed attempt.
    async fn exclude_scratch_trouble(&mut self) -> Result<(), FlowError> {
        self.fresh |= check_scratch(&mut self.lease, self.staged, self.context).await?;
        Ok(())
    }

    /// Looks at the code files again.
    async fn check_code(&self, begun: CodeMoment) -> Result<CodeCheck, FlowError> {
        let job = &self.staged.claimed.job;
        if let Some(object) = job.code_objects.changed().await? {
            return Ok(CodeCheck::Changed(object));
        }
        let code = Arc::clone(&job.code);
        if code.is_empty() {
            return Ok(CodeCheck::Unchanged);
        }
        let checked = tokio::task::spawn_blocking(move || code.check(begun)).await;
        Ok(checked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())))
    }

    async fn run_and_collect(&mut self, attempt: u32) -> Result<CollectedOutput, FlowError> {
        let ended = self.command(CommandRole::Attempt(attempt)).await?;
        let output = ended.execution.output;
        self.judge(CommandRole::Attempt(attempt), ended)?;
        if !output {
            return Ok(CollectedOutput::default()); // saves the walk; many commands write nothing
        }
        collect(&mut self.lease, self.staged, self.context).await
    }

    /// Runs `err_cmd`, if any.
    async fn rescue(
        &mut self,
        cause: Cause,
        attempts: u32,
    ) -> Result<DatumOutcome<CollectedOutput>, FlowError> {
        if self
            .staged
            .claimed
            .job
            .pipeline
            .transform
            .err_cmd
            .is_empty()
        {
            return Ok(DatumOutcome::Failed(cause));
        }
        let role = CommandRole::Rescue(attempts);
        let ended = self.command(role).await;
        match ended.and_then(|ended| self.judge(role, ended)) {
            Ok(()) => Ok(DatumOutcome::Recovered(cause)),
            Err(FlowError::Datum(_)) => Ok(DatumOutcome::Failed(cause)),
            Err(failure) => Err(failure),
        }
    }

    /// Runs a command to its end, in a span of its own, and stores the log.
    async fn command(&mut self, role: CommandRole) -> Result<EndedCommand, FlowError> {
        let span = tracing::info_span!(
            target: TRACE_TARGET, "command",
            role = ?role, memory_bytes = Empty, cpu_time_s = Empty
        );
        self.traced_command(role).instrument(span).await
    }

    async fn traced_command(&mut self, role: CommandRole) -> Result<EndedCommand, FlowError> {
        let begun = Instant::now();
        let runner = self
            .lease
            .runner()
            .await
            .map_err(InfrastructureError::Runner)?;
        let mut order = order(role, self.staged, self.fresh, runner, self.context);
        order.memory_limit = self.lease.memory_limit();
        if !self.lease.devices().is_empty() {
            let devices = self.lease.devices().join(",");
            order.env.insert(VISIBLE_DEVICES.to_owned(), devices);
        }
        let log = GrowingLog::of(&self.staged.claimed, role, &order, self.context);
        let executed = self.watched(&order, role, &log).await;
        self.process_time += match &executed {
            Ok((execution, _)) => execution.process_time,
            Err(_) => begun.elapsed(),
        };
        if let Ok((execution, _)) = &executed {
            self.keep_log(&order.log, role, execution).await;
        }
        log.hide().await;
        let (execution, seen) = executed?;
        let SeenRun {
            memory: seen,
            filled,
        } = seen;
        let memory = self.count_usage(&execution, seen);
        let end = AttemptEnd {
            execution: &execution,
            seen,
            memory,
            is_accepted: self.is_accepted(&execution.ending),
        };
        let slots = &self.context.slots;
        let lacked = lacked_memory(end, || slots.kernel_killed_since(begun));
        Ok(EndedCommand {
            execution,
            lacked,
            filled,
        })
    }

    /// True if the command succeeded by its exit code.
    fn is_accepted(&self, ending: &Ending) -> bool {
        let accepted = &self
            .staged
            .claimed
            .job
            .pipeline
            .transform
            .accept_return_code;
        match ending {
            Ending::Exited(code) => *code == 0 || accepted.contains(code),
            Ending::Asked => true,
            _ => false,
        }
    }

    /// Adds the resources that a command used to those of the datum, and notes them in the trace. Returns the bytes of memory
    /// that the command used.
    fn count_usage(&mut self, execution: &Execution, seen: SeenMemory) -> u64 {
        let Some(usage) = usage_of(&execution.cost, seen.peak) else {
            return 0;
        };
        let span = Span::current();
        span.record("memory_bytes", usage.memory_bytes);
        if let Some(time) = usage.cpu_time_s {
            span.record("cpu_time_s", time);
        }
        self.usage = Some(self.usage.map_or(usage, |earlier| earlier.and(usage)));
        usage.memory_bytes
    }

    /// Runs an order, and reports a long run while the order runs.
    async fn watched(
        &mut self,
        order: &Order,
        role: CommandRole,
        log: &GrowingLog,
    ) -> Result<(Execution, SeenRun), FlowError> {
        let Self {
            staged,
            context,
            lease,
            fresh,
            memory,
            ..
        } = self;
        let claimed = &staged.claimed;
        let need = memory.need();
        let since = Timestamp::now();
        *fresh = false;
        let executed = tokio::select! {
            biased;
            () = context.tokens.hard.cancelled() => None,
            executed = lease.run(order, need, &claimed.command_over) => Some(executed),
            never = report_when_long(claimed, context, role, since) => match never {},
            never = log.show() => match never {},
        };
        match executed {
            None => {
                self.lease.discard();
                Err(FlowError::Interrupted(Interruption::CutShort))
            }
            Some(Ok(executed)) => Ok(executed),
            Some(Err(error)) => {
                self.fresh = true;
                Err(self.blame(error))
            }
        }
    }

    /// A runner that died was most likely killed because of its command (memory, a signal), so the attempt has failed.
    fn blame(&mut self, error: RunnerError) -> FlowError {
        if matches!(
            error,
            RunnerError::Spawn { .. } | RunnerError::NoSandbox { .. } | RunnerError::Unfit { .. }
        ) {
            return FlowError::Infrastructure(InfrastructureError::Runner(error));
        }
        tracing::warn!("the runner of a slot died: {error}");
        metrics::runner_died();
        self.lost_runners += 1;
        let times = self.staged.claimed.deaths + self.lost_runners;
        FlowError::Datum(Cause::WorkerDied { times })
    }

    /// The result of a command that has ended: success, or the failure that follows.
    fn judge(&self, role: CommandRole, ended: EndedCommand) -> Result<(), FlowError> {
        if let Some(bytes) = ended.lacked {
            return Err(FlowError::Datum(Cause::Memory {
                bytes,
                input_bytes: self.staged.bytes,
                most: None,
            }));
        }
        if let (Some(bytes), Ending::Cancelled) = (ended.filled, &ended.execution.ending) {
            let limit = self.context.settings.scratch_limit.unwrap_or(0);
            return Err(FlowError::Datum(Cause::Scratch { bytes, limit }));
        }
        let transform = &self.staged.claimed.job.pipeline.transform;
        let is_accepted = self.is_accepted(&ended.execution.ending);
        let last_line = ended.execution.last_line;
        Err(FlowError::Datum(match ended.execution.ending {
            Ending::Asked => return Ok(()),
            Ending::GaveUp(message) => Cause::GaveUp { message },
            Ending::Exited(code) if is_accepted && role.stays(transform) => Cause::Exit {
                code,
                last_line: PREMATURE.to_owned(),
            },
            Ending::Exited(_) if is_accepted => return Ok(()),
            Ending::Exited(code) => Cause::Exit { code, last_line },
            Ending::Signaled(signal) => Cause::Signal { signal, last_line },
            Ending::TimedOut => Cause::Timeout { last_line },
            Ending::NotStarted(message) => Cause::Start { message },
            Ending::Cancelled => {
                return Err(self.staged.claimed.command_end(self.context).into());
            }
        }))
    }

    /// Stores the log. A log that cannot be stored does not fail the datum.
    async fn keep_log(&self, log: &std::path::Path, role: CommandRole, execution: &Execution) {
        let ClaimedDatum { job, datum, .. } = &self.staged.claimed;
        if let Some(trouble) = &execution.log_trouble {
            tracing::warn!(job.id = %job.id, datum.index, "the log of an attempt is incomplete: {trouble}");
            let _ = self.context.scratch.restore();
        }
        if execution.log_bytes == 0 {
            return;
        }
        let name = role.log_name(&self.staged.claimed);
        if let Err(error) = self
            .context
            .ledger
            .save_log(job.id, datum.index, &name, log)
            .await
        {
            tracing::warn!(job.id = %job.id, datum.index, "the log of an attempt cannot be stored: {error}");
        }
    }

    async fn report_retry(&self, attempt: u32) -> Result<(), FlowError> {
        let ClaimedDatum {
            job,
            datum,
            redeliveries,
            ..
        } = &self.staged.claimed;
        let worker = self.context.settings.worker.clone();
        let event = Event::Retrying {
            index: datum.index,
            attempt,
            worker,
        };
        self.context.report(job, *redeliveries, event).await
    }
}

/// The failure of an attempt whose inputs or code, named by `what`, may differ from the content in the datum's id.
fn void_attempt(what: &str, is_final: bool) -> FailedAttempt {
    let message = format!("{what} changed while its datum ran; run the pipeline again");
    FailedAttempt {
        cause: Cause::Input { message },
        is_final,
    }
}

/// Reports an attempt as running once it has taken long enough, then waits for ever.
async fn report_when_long(
    claimed: &ClaimedDatum,
    context: &WorkerContext,
    role: CommandRole,
    since: Timestamp,
) -> std::convert::Infallible {
    let ClaimedDatum {
        job,
        datum,
        redeliveries,
        ..
    } = claimed;
    if let CommandRole::Attempt(attempt) = role {
        let has_rate = |limit: &Limit| matches!(limit, Limit::Rate(_));
        // The leader counts the begins.
        if !job.pipeline.limits.iter().any(has_rate) {
            tokio::time::sleep(REPORT_AFTER).await;
        }
        let sizes = datum.inputs.iter().map(|input| input.size);
        let report = Report {
            job: job.id,
            redeliveries: *redeliveries,
            event: Event::Running {
                index: datum.index,
                attempt,
                worker: context.settings.worker.clone(),
                since,
                input_bytes: Some(total_bytes(sizes)),
            },
        };
        let _reported = context.reported_attempts.note(datum.index, report.clone());
        let sent = context.send(report, job.key, &job.pipeline.name);
        if sent.await.is_err() {
            tracing::debug!(job.id = %job.id, datum.index, "a running attempt could not be reported");
        }
        return std::future::pending().await;
    }
    std::future::pending().await
}
