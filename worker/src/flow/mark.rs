//! Attempt marks: a mark that stays in the ledger tells that a worker died while it ran the datum.

use super::claimed::ClaimedDatum;
use crate::context::WorkerContext;
use crate::flow_error::FlowError;

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
        let mark = context.ledger.mark_attempt(job, index).await?;
        Ok(Self(Some(mark)))
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
