//! All stages of a datum, in order.

use std::mem::take;

use drover_shared::datum::{Cause, Verdict};
use drover_shared::process::telemetry::TRACE_TARGET;
use drover_shared::wire::Event;
use tokio::sync::SemaphorePermit;
use tracing::{Instrument, info_span};

use super::claimed::ClaimedDatum;
use super::commit::{CommittedDatum, commit};
use super::evidence::{Suspicion, look_back};
use super::execute::{ExecutedDatum, execute};
use super::stage::stage;
use super::upload::upload;
use crate::context::WorkerContext;
use crate::flow_error::{FlowError, Interruption};
use crate::metrics;

/// Bytes of outputs in a report beyond which the leader reads the verdict from the ledger. A message has at most 16 MiB.
const LARGEST_REPORT: usize = 256 * 1024;

/// Bytes of an output in a report beside its path: size, hash and version.
const OUTPUT_BYTES: usize = 160;

/// Brings a datum to its verdict and reports it to the leader. `permit` is released before the report is sent, and before the
/// verdict waits for others of its set, so the next datum can be staged meanwhile.
pub(crate) async fn journey(
    mut claimed: ClaimedDatum,
    permit: SemaphorePermit<'_>,
    context: &WorkerContext,
) -> Result<(), FlowError> {
    let mut permit = Some(permit);
    let ended = loop {
        if let Some(ended) = revisit(&mut claimed, context).await? {
            break ended;
        }
        match process(&claimed, &mut permit, context).await {
            Ok(Some(ended)) => break ended,
            // A verdict was committed meanwhile.
            Ok(None) | Err(FlowError::Interrupted(Interruption::Overtaken)) => claimed.again = true,
            Err(failure) => return Err(failure),
        }
    };
    drop(permit);
    let CommittedDatum { verdict, first } = ended;
    forget_need(&claimed, context).await;
    metrics::ended(&verdict, first);
    claimed.job.learn(&verdict);
    tracing::debug!(
        first,
        "datum {} ended: {:?}",
        claimed.datum.index,
        verdict.state
    );
    context
        .report(&claimed.job, claimed.redeliveries, event(verdict, first))
        .await
}

/// Forgets the need of more memory: no large worker has to wait for the datum.
async fn forget_need(claimed: &ClaimedDatum, context: &WorkerContext) {
    if claimed.too_little == 0 {
        return;
    }
    let (job, index) = (claimed.job.id, claimed.datum.index);
    if let Err(error) = context.ledger.forget_too_little(job, index).await {
        tracing::debug!(job.id = %job, datum.index = index, "the need of a datum cannot be forgotten: {error}");
    }
}

/// The report on a verdict: the verdict itself, or its place in the ledger if the verdict is large.
fn event(verdict: Verdict, first: bool) -> Event {
    let sizes = verdict.outputs.iter();
    let size: usize = sizes.map(|output| output.path.len() + OUTPUT_BYTES).sum();
    if size > LARGEST_REPORT {
        let index = verdict.index;
        return Event::Committed { index, first };
    }
    Event::Ended {
        verdict: Box::new(verdict),
        first,
    }
}

/// Runs the datum and commits its verdict. None if another worker committed a verdict before the datum got a slot.
async fn process(
    claimed: &ClaimedDatum,
    permit: &mut Option<SemaphorePermit<'_>>,
    context: &WorkerContext,
) -> Result<Option<CommittedDatum>, FlowError> {
    let staging = stage(claimed, context).instrument(info_span!(target: TRACE_TARGET, "download"));
    let executed = match staging.await {
        Ok(staged) => {
            let executing = execute(staged, context);
            let executing = executing.instrument(info_span!(target: TRACE_TARGET, "process"));
            match executing.await {
                Ok(Some(executed)) => executed,
                Ok(None) => return Ok(None),
                Err(FlowError::Datum(cause)) => ExecutedDatum::never(cause),
                Err(failure) => return Err(failure),
            }
        }
        Err(FlowError::Datum(cause)) => ExecutedDatum::never(cause),
        Err(failure) => return Err(failure),
    };
    let mut mark = executed.mark;
    let uploading =
        upload(executed, claimed, context).instrument(info_span!(target: TRACE_TARGET, "upload"));
    let ended = match context.unless_cut_short(uploading).await {
        Ok(Ok(uploaded)) => {
            if claimed.set.is_some() {
                // The datum has ended: a death of the worker during the wait is no evidence.
                take(&mut mark).remove(claimed, context).await;
                *permit = None;
            }
            let committing = commit(uploaded, claimed, context);
            committing
                .instrument(info_span!(target: TRACE_TARGET, "commit"))
                .await
        }
        Ok(Err(failure)) | Err(failure) => Err(failure),
    };
    if ended.is_err() {
        mark.remove(claimed, context).await;
    }
    ended.map(Some)
}

/// The verdict of a repeated datum: the one in the ledger, or a new one if the datum killed too many workers. None if
/// the datum has to run.
async fn revisit(
    claimed: &mut ClaimedDatum,
    context: &WorkerContext,
) -> Result<Option<CommittedDatum>, FlowError> {
    if !claimed.is_repeated() {
        return Ok(None);
    }
    if let Some(verdict) = claimed.committed(&context.ledger).await? {
        return Ok(Some(CommittedDatum {
            verdict,
            first: false,
        }));
    }
    look_back(claimed, context).await?;
    if claimed.suspicion() == Suspicion::Poison {
        // Live workers may be reconnecting: after a restart of the broker all control queues are gone for a moment.
        let grace = tokio::time::sleep(context.settings.death_grace);
        context.unless_interrupted(&claimed.job, grace).await?;
        look_back(claimed, context).await?;
    }
    if claimed.suspicion() != Suspicion::Poison {
        return Ok(None);
    }
    let poison = ExecutedDatum::never(Cause::WorkerDied {
        times: claimed.deaths,
    });
    let uploaded = upload(poison, claimed, context).await?;
    Ok(Some(commit(uploaded, claimed, context).await?))
}
