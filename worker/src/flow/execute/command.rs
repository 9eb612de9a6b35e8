//! Runs a command, stores the log, and measures the resources.

use std::time::Instant;

use drover_shared::datum::Cause;
use drover_shared::process::telemetry::TRACE_TARGET;
use jiff::Timestamp;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::datum_run::DatumRun;
use super::live_log::GrowingLog;
use super::order::{CommandRole, order};
use super::running_report::report_when_long;
use crate::flow::claimed::ClaimedDatum;
use crate::flow::memory::{AttemptEnd, lacked_memory, usage_of};
use crate::flow_error::{FlowError, InfrastructureError, Interruption};
use crate::memory::SeenMemory;
use crate::metrics;
use crate::runner::{Execution, Order, RunnerError};
use crate::slots::{SeenRun, VISIBLE_DEVICES};

/// A command that ended.
pub(super) struct EndedCommand {
    pub(super) execution: Execution,
    /// Bytes of memory that the command held when it was ended for want of memory.
    pub(super) lacked: Option<u64>,
    /// Bytes in scratch when the command was ended for them.
    pub(super) filled: Option<u64>,
}

impl DatumRun<'_> {
    /// Runs a command to its end, in a span of its own, and stores the log.
    pub(super) async fn command(&mut self, role: CommandRole) -> Result<EndedCommand, FlowError> {
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
}
