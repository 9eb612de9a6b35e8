//! A datum in its slot.

use std::time::Duration;

use drover_shared::datum::{Cause, ResourceUsage};

use super::overtaken::until_overtaken;
use crate::context::WorkerContext;
use crate::flow::claimed::ClaimedDatum;
use crate::flow::collect::CollectedOutput;
use crate::flow::evidence::{AttemptMark, noting_waste};
use crate::flow::memory::{MemoryTries, check_room, demand, expected_memory};
use crate::flow::stage::StagedDatum;
use crate::flow_error::{FlowError, Interruption};
use crate::slots::SlotLease;

/// A datum after its last attempt.
#[derive(Debug)]
pub(in crate::flow) struct ExecutedDatum {
    pub(in crate::flow) outcome: DatumOutcome<CollectedOutput>,
    /// Attempts of this claim, without `err_cmd`.
    pub(in crate::flow) attempts: u32,
    pub(in crate::flow) mark: AttemptMark,
    pub(in crate::flow) download_bytes: u64,
    pub(in crate::flow) download_time: Duration,
    pub(in crate::flow) process_time: Duration,
    /// Resources that the commands used; none if no command ran.
    pub(in crate::flow) usage: Option<ResourceUsage>,
}

/// The outcome of a datum.
#[derive(Debug)]
pub(in crate::flow) enum DatumOutcome<Files> {
    /// An attempt succeeded and wrote the files.
    Success(Files),
    /// All attempts failed, but `err_cmd` succeeded; the cause is of the last attempt.
    Recovered(Cause),
    /// All attempts failed; the cause is of the last attempt.
    Failed(Cause),
}

impl ExecutedDatum {
    /// A datum that fails for the cause without an attempt.
    pub(in crate::flow) fn never(cause: Cause) -> Self {
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
pub(in crate::flow) async fn execute(
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
pub(super) async fn lease<'a>(
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
pub(super) struct DatumRun<'a> {
    pub(super) staged: &'a mut StagedDatum,
    pub(super) context: &'a WorkerContext,
    pub(super) lease: SlotLease<'a>,
    /// True until the slot's runner has been given the datum's inputs.
    pub(super) fresh: bool,
    /// Number of runners that died while running the datum.
    pub(super) lost_runners: u32,
    pub(super) process_time: Duration,
    pub(super) usage: Option<ResourceUsage>,
    pub(super) memory: MemoryTries,
}
