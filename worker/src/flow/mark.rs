//! Attempt marks: a remaining mark in the ledger means the death of a worker while the datum ran.

use std::pin::pin;

use futures::future::join;

use super::claimed::ClaimedDatum;
use crate::context::WorkerContext;
use crate::flow_error::FlowError;

/// The number of workers that died while they ran the datum. The mark of a worker counts once its control queue is gone: the
/// broker removes the queue with the worker's connection.
pub(super) async fn count_deaths(
    claimed: &ClaimedDatum,
    context: &WorkerContext,
) -> Result<u32, FlowError> {
    let (job, index) = (claimed.job.id, claimed.datum.index);
    let mut deaths = 0;
    for worker in context.ledger.marked_by(job, index).await? {
        let lives = match worker {
            Some(worker) => context.broker.is_listening(worker.as_str()).await?,
            None => false,
        };
        deaths += u32::from(!lives);
    }
    Ok(deaths)
}

/// The mark of one run; none for a first delivery.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AttemptMark(Option<u32>);

impl AttemptMark {
    /// Writes a mark just before the datum runs. The first delivery writes none: most datums have no other, and so the
    /// mark costs them nothing.
    pub(super) async fn leave(
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

    /// Waits for `work` on the datum, and takes the mark back if the claim is lost meanwhile: the broker has given the datum
    /// to another worker, so a later death of the current worker is no evidence against the datum.
    pub(super) async fn while_claimed<T>(
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
        }
        let mark = std::mem::take(self);
        let (done, ()) = join(work, mark.remove(claimed, context)).await;
        done
    }

    /// Removes the mark: the datum got no verdict here, but the worker is alive.
    pub(super) async fn remove(self, claimed: &ClaimedDatum, context: &WorkerContext) {
        let Some(mark) = self.0 else { return };
        let (job, index) = (claimed.job.id, claimed.datum.index);
        if let Err(error) = context.ledger.unmark_attempt(job, index, mark).await {
            tracing::warn!(job.id = %job, datum.index = index, "an attempt mark cannot be removed: {error}");
        }
    }
}
