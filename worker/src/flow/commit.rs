//! Commit: the only step that others can see. The first verdict for a datum is its verdict for ever.

use std::time::Duration;

use drover_shared::datum::{StageStats, Verdict, VerdictState};
use drover_shared::ledger::Commit;
use jiff::Timestamp;

use super::claimed::Claimed;
use super::execute::Outcome;
use super::upload::{Uploaded, staged, sweep};
use crate::context::Tools;
use crate::failure::Failure;

/// A datum that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// What the ledger says.
    pub(super) verdict: Verdict,
    /// Whether this claim made it so.
    pub(super) first: bool,
}

/// Writes the verdict, unless there is one already; then what this claim staged is removed.
///
/// An error leaves open whether the verdict was written, so nothing is removed then: it may be the truth.
pub(super) async fn commit(
    uploaded: Uploaded,
    claimed: &Claimed,
    tools: &Tools,
) -> Result<Ended, Failure> {
    let verdict = verdict(uploaded, claimed, tools);
    match tools.ledger.commit(claimed.job.id, &verdict).await? {
        Commit::Won => Ok(Ended {
            verdict,
            first: true,
        }),
        Commit::Lost(earlier) => {
            if verdict.staged != earlier.staged {
                sweep(staged(claimed, verdict.outputs.len()), tools).await;
            }
            Ok(Ended {
                verdict: *earlier,
                first: false,
            })
        }
    }
}

fn verdict(uploaded: Uploaded, claimed: &Claimed, tools: &Tools) -> Verdict {
    let (state, cause, outputs) = match uploaded.outcome {
        Outcome::Success(outputs) => (VerdictState::Success, None, outputs),
        Outcome::Recovered(cause) => (VerdictState::Recovered, Some(cause), Vec::new()),
        Outcome::Failed(cause) => (VerdictState::Failed, Some(cause), Vec::new()),
    };
    Verdict {
        index: claimed.datum.index,
        datum: claimed.datum.id,
        state,
        attempts: claimed.deaths + uploaded.attempts,
        worker: tools.settings.worker.clone(),
        cause,
        staged: if outputs.is_empty() {
            String::new()
        } else {
            claimed.claim.to_string()
        },
        stats: StageStats {
            download_bytes: uploaded.download_bytes,
            upload_bytes: outputs.iter().map(|output| output.size).sum(),
            download_time_s: seconds(uploaded.download_time),
            process_time_s: seconds(uploaded.process_time),
            upload_time_s: seconds(uploaded.upload_time),
        },
        outputs,
        started: claimed.started,
        finished: Timestamp::now(),
        taken_from: None,
    }
}

/// Seconds to the microsecond: short in the ledger, and the same after a round trip.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}
