//! Attempt marks: a remaining mark in the ledger means the death of a worker while the datum ran.

use std::pin::pin;

use drover_shared::id::WorkerId;
use futures::future::join;

use crate::context::WorkerContext;
use crate::flow::claimed::ClaimedDatum;
use crate::flow_error::FlowError;

/// Looks at the earlier runs of a redelivered datum: the number of workers that died during a run, and the time lost with
/// leaving workers. The mark of a worker counts once the worker's control queue is gone: the broker removes the queue with
/// the worker's connection.
pub(in crate::flow) async fn look_back(
    claimed: &mut ClaimedDatum,
    context: &WorkerContext,
) -> Result<(), FlowError> {
    let (job, index) = (claimed.job.id, claimed.datum.index);
    let past = context.ledger.past_runs(job, index).await?;
    let (mut deaths, mut too_little) = (0, past.too_little);
    for worker in past.marked_by {
        match fate(worker.as_ref(), context).await? {
            Fate::Lives => {}
            Fate::Died => deaths += 1,
            Fate::RanOutOfMemory(bytes) => too_little = too_little.max(bytes),
        }
    }
    claimed.deaths = deaths;
    claimed.wasted_s = past.wasted_s;
    claimed.too_little = too_little;
    Ok(())
}

/// The fate of a worker that left a mark.
enum Fate {
    Lives,
    Died,
    /// The kernel killed the worker together with its command, which needed more than so many bytes.
    RanOutOfMemory(u64),
}

async fn fate(worker: Option<&WorkerId>, context: &WorkerContext) -> Result<Fate, FlowError> {
    let Some(worker) = worker else {
        return Ok(Fate::Died);
    };
    if context.broker.is_listening(worker.as_str()).await? {
        return Ok(Fate::Lives);
    }
    let capacity = context.ledger.capacity(worker).await?;
    Ok(match capacity {
        Some(capacity) if capacity.ran_out_of_memory => Fate::RanOutOfMemory(capacity.memory_bytes),
        _ => Fate::Died,
    })
}

/// The mark of one run; none for a first delivery.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::flow) struct AttemptMark(Option<u32>);

impl AttemptMark {
    /// Writes a mark just before the datum runs. The first delivery writes none: most datums have no other, and so the
    /// mark costs them nothing.
    pub(in crate::flow) async fn leave(
        claimed: &ClaimedDatum,
        context: &WorkerContext,
    ) -> Result<Self, FlowError> {
        if !claimed.is_repeated() {
            return Ok(Self(None));
        }
        let (job, index) = (claimed.job.id, claimed.datum.index);
        let worker = &context.settings.worker;
        let ledger = &context.ledger;
        let mark = ledger.mark_attempt(job, index, &claimed.claim, worker);
        Ok(Self(Some(mark.await?)))
    }

    /// Waits for `work` on the datum, and takes the mark back once a later death of the current worker is no evidence against
    /// the datum: the claim is lost, so the broker has given the datum to another worker; or the worker was told to leave, and
    /// may be ended at any moment.
    pub(in crate::flow) async fn while_evidence<T>(
        &mut self,
        work: impl Future<Output = T>,
        claimed: &ClaimedDatum,
        context: &WorkerContext,
    ) -> T {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = claimed.claim_lost.cancelled() => {}
            () = context.tokens.soft.cancelled() => {}
        }
        let mark = std::mem::take(self);
        let (done, ()) = join(work, mark.remove(claimed, context)).await;
        done
    }

    /// Removes the mark: the datum got no verdict here, but the worker is alive.
    pub(in crate::flow) async fn remove(self, claimed: &ClaimedDatum, context: &WorkerContext) {
        let Some(mark) = self.0 else { return };
        let (job, index) = (claimed.job.id, claimed.datum.index);
        if let Err(error) = context.ledger.unmark_attempt(job, index, mark).await {
            tracing::warn!(job.id = %job, datum.index = index, "an attempt mark cannot be removed: {error}");
        }
    }
}
