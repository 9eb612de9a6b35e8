//! The journey as a whole.

use drover_shared::datum::Cause;
use drover_shared::process::telemetry::TRACED;
use drover_shared::wire::Event;
use tokio::sync::SemaphorePermit;
use tracing::{Instrument, info_span};

use super::claimed::Claimed;
use super::commit::{Ended, commit};
use super::execute::{Executed, execute};
use super::stage::stage;
use super::suspicion::Suspicion;
use super::upload::upload;
use crate::context::Tools;
use crate::failure::Failure;
use crate::metrics;

/// Brings a datum to its end, whatever that is, and tells the coordinator. `room` is for whoever comes next as
/// soon as there is nothing more to do for this one than to tell of it.
pub(crate) async fn journey(
    mut claimed: Claimed,
    room: SemaphorePermit<'_>,
    tools: &Tools,
) -> Result<(), Failure> {
    let ended = match revisit(&mut claimed, tools).await? {
        Some(ended) => ended,
        None => travel(&claimed, tools).await?,
    };
    drop(room);
    let Ended { verdict, first } = ended;
    metrics::ended(&verdict, first);
    tracing::debug!(
        first,
        "datum {} ended: {:?}",
        claimed.datum.index,
        verdict.state
    );
    let event = Event::Ended {
        verdict: Box::new(verdict),
        first,
    };
    tools
        .report(&claimed.job, claimed.redeliveries, event)
        .await
}

async fn travel(claimed: &Claimed, tools: &Tools) -> Result<Ended, Failure> {
    let staging = stage(claimed, tools).instrument(info_span!(target: TRACED, "download"));
    let executed = match staging.await {
        Ok(staged) => {
            let executing = execute(staged, tools);
            executing
                .instrument(info_span!(target: TRACED, "process"))
                .await?
        }
        Err(Failure::Datum(cause)) => Executed::never(cause),
        Err(failure) => return Err(failure),
    };
    let mark = executed.mark;
    let uploading =
        upload(executed, claimed, tools).instrument(info_span!(target: TRACED, "upload"));
    let ended = match tools.unless_cut_short(uploading).await {
        Ok(Ok(uploaded)) => {
            let committing = commit(uploaded, claimed, tools);
            committing
                .instrument(info_span!(target: TRACED, "commit"))
                .await
        }
        Ok(Err(failure)) | Err(failure) => Err(failure),
    };
    if ended.is_err() {
        mark.take_back(claimed, tools).await;
    }
    ended
}

/// Whether a repeated datum has ended already, or must not be run once more.
async fn revisit(claimed: &mut Claimed, tools: &Tools) -> Result<Option<Ended>, Failure> {
    if !claimed.is_repeated() {
        return Ok(None);
    }
    let (job, index) = (claimed.job.id, claimed.datum.index);
    if let Some(verdict) = tools.ledger.committed(job, index).await? {
        return Ok(Some(Ended {
            verdict,
            first: false,
        }));
    }
    claimed.deaths = tools.ledger.attempt_marks(job, index).await?;
    if claimed.suspicion() != Suspicion::Poison {
        return Ok(None);
    }
    let poison = Executed::never(Cause::WorkerDied {
        times: claimed.deaths,
    });
    let uploaded = upload(poison, claimed, tools).await?;
    Ok(Some(commit(uploaded, claimed, tools).await?))
}
