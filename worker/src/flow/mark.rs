//! Marks: what tells of a run whose worker did not survive it.

use super::claimed::Claimed;
use crate::context::Tools;
use crate::failure::Failure;

/// The mark of one run, if it left any.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark(Option<u32>);

impl Mark {
    /// Leaves a mark just before the datum runs. The first delivery leaves none: most datums have no other, and so
    /// pay nothing.
    pub(super) async fn leave(claimed: &Claimed, tools: &Tools) -> Result<Self, Failure> {
        if !claimed.is_repeated() {
            return Ok(Self(None));
        }
        let (job, index) = (claimed.job.id, claimed.datum.index);
        let mark = tools.ledger.mark_attempt(job, index).await?;
        Ok(Self(Some(mark)))
    }

    /// Takes the mark back: the datum did not come to its end here, but the worker lives.
    pub(super) async fn take_back(self, claimed: &Claimed, tools: &Tools) {
        let Some(mark) = self.0 else { return };
        let (job, index) = (claimed.job.id, claimed.datum.index);
        if let Err(error) = tools.ledger.unmark_attempt(job, index, mark).await {
            tracing::warn!(job.id = %job, datum.index = index, "a mark cannot be taken back: {error}");
        }
    }
}
