//! A datum that the current worker has claimed: the input of all stages.

use std::sync::Arc;

use drover_shared::datum::{Datum, Verdict};
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use drover_shared::trace_parent::TraceParent;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::set_commits::SetCommits;
use crate::context::WorkerContext;
use crate::flow_error::Interruption;
use crate::jobs::Job;

/// A datum that the current worker has claimed.
#[derive(Clone, Debug)]
pub(crate) struct ClaimedDatum {
    pub(crate) job: Arc<Job>,
    pub(crate) datum: Arc<Datum>,
    /// The set that the datum is committed with; none for a datum on its own.
    pub(crate) set: Option<Arc<SetCommits>>,
    /// The number of the job's datums, once it is known.
    pub(crate) total: Option<u64>,
    /// Earlier deliveries of the message.
    pub(crate) redeliveries: u32,
    /// True if another message may have delivered the datum before.
    pub(crate) again: bool,
    /// The name of this delivery; see [`WorkerContext::next_claim`](crate::context::WorkerContext::next_claim).
    pub(crate) claim: Arc<str>,
    pub(crate) started: Timestamp,
    /// Cancelled when the datum must be handed back unless it has a slot.
    pub(crate) recalled: CancellationToken,
    /// Cancelled when the claim is lost: the broker redelivers the message.
    pub(crate) claim_lost: CancellationToken,
    /// Cancelled when another worker has committed a verdict on the running datum, or the job is stopped: the command ends.
    pub(crate) command_over: CancellationToken,
    /// The trace context of the message.
    pub(crate) trace: Option<TraceParent>,
    /// The number of worker deaths while the datum ran.
    pub(crate) deaths: u32,
    /// Seconds of earlier runs, cut off with leaving workers.
    pub(crate) wasted_s: f64,
    /// Bytes of memory that did not suffice on a smaller worker.
    pub(crate) too_little: u64,
}

impl ClaimedDatum {
    /// True if a worker may have run the datum before: there may be a verdict or an attempt mark.
    pub(crate) fn is_repeated(&self) -> bool {
        self.redeliveries > 0 || self.again
    }

    /// The reason for the end of a command by [`command_over`](Self::command_over).
    pub(crate) fn command_end(&self, context: &WorkerContext) -> Interruption {
        if self.job.stopped.is_cancelled() {
            context.stopped()
        } else {
            Interruption::Overtaken
        }
    }

    /// The verdict of the datum in the ledger, if any.
    pub(crate) async fn committed(&self, ledger: &Ledger) -> Result<Option<Verdict>, StoreError> {
        match &self.set {
            Some(set) => set.committed(self.datum.index, ledger).await,
            None => ledger.committed_alone(self.job.id, self.datum.index).await,
        }
    }
}
