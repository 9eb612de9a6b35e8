//! Commit: writes the verdict into the ledger. The first verdict of a datum is final.

use drover_shared::datum::{StageStats, Verdict, VerdictState};
use drover_shared::ledger::{Commit, SetVerdict};
use drover_shared::units::total_bytes;
use jiff::Timestamp;

use super::claimed::ClaimedDatum;
use super::execute::DatumOutcome;
use super::memory::seconds;
use super::upload::{UploadedDatum, delete_staged, staged};
use crate::context::WorkerContext;
use crate::flow_error::FlowError;

/// A datum with a verdict in the ledger.
#[derive(Debug)]
pub(super) struct CommittedDatum {
    /// The verdict in the ledger.
    pub(super) verdict: Verdict,
    /// True if this claim wrote the verdict.
    pub(super) first: bool,
}

/// Writes the verdict. If the ledger has one already, the files that this claim staged are removed.
///
/// After an error the verdict may have been written all the same, so the staged files are kept.
pub(super) async fn commit(
    uploaded: UploadedDatum,
    claimed: &ClaimedDatum,
    context: &WorkerContext,
) -> Result<CommittedDatum, FlowError> {
    let verdict = verdict(uploaded, claimed, context);
    let (own, outputs) = (verdict.staged.clone(), verdict.outputs.len());
    let committed = match &claimed.set {
        Some(set) => {
            let SetVerdict { verdict, first } = set.commit(verdict, &context.ledger).await?;
            CommittedDatum { verdict, first }
        }
        None => match context.ledger.commit(claimed.job.id, &verdict).await? {
            Commit::Won => CommittedDatum {
                verdict,
                first: true,
            },
            Commit::Lost(earlier) => CommittedDatum {
                verdict: *earlier,
                first: false,
            },
        },
    };
    if committed.verdict.staged != own {
        delete_staged(staged(claimed, outputs), context).await;
    }
    Ok(committed)
}

fn verdict(uploaded: UploadedDatum, claimed: &ClaimedDatum, context: &WorkerContext) -> Verdict {
    let (state, cause, outputs) = match uploaded.outcome {
        DatumOutcome::Success(outputs) => (VerdictState::Success, None, outputs),
        DatumOutcome::Recovered(cause) => (VerdictState::Recovered, Some(cause), Vec::new()),
        DatumOutcome::Failed(cause) => (VerdictState::Failed, Some(cause), Vec::new()),
    };
    Verdict {
        index: claimed.datum.index,
        datum: claimed.datum.id,
        state,
        attempts: claimed.deaths + uploaded.attempts,
        worker: context.settings.worker.clone(),
        cause,
        staged: if outputs.is_empty() {
            String::new()
        } else {
            claimed.claim.to_string()
        },
        stats: StageStats {
            download_bytes: uploaded.download_bytes,
            upload_bytes: total_bytes(outputs.iter().map(|output| output.size)),
            download_time_s: seconds(uploaded.download_time),
            process_time_s: seconds(uploaded.process_time),
            upload_time_s: seconds(uploaded.upload_time),
            wasted_time_s: claimed.wasted_s,
        },
        usage: uploaded.usage,
        outputs,
        started: claimed.started,
        finished: Timestamp::now(),
        taken_from: None,
    }
}
