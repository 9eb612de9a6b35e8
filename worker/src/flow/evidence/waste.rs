//! Time lost when a worker has to leave before the verdict of a datum.
//!
//! A leaving worker may be ended at any moment, so the worker notes in the ledger, again and again, the running time of the
//! datum. The worker that brings the datum to a verdict adds up the notes.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::context::WorkerContext;
use crate::flow::claimed::ClaimedDatum;
use crate::flow_error::{FlowError, Interruption};

/// Interval between two notes; the most that a note lacks.
const NOTE_EVERY: Duration = Duration::from_secs(5);

/// Waits for the run of a datum. The time of a run that the end of the worker cuts off is noted.
pub(in crate::flow) async fn noting_waste<T>(
    run: impl Future<Output = Result<T, FlowError>>,
    claimed: &ClaimedDatum,
    context: &WorkerContext,
) -> Result<T, FlowError> {
    let begun = Instant::now();
    // Boxed: the future of a run is large.
    let mut run = Box::pin(run);
    let soft = &context.tokens.soft;
    if let Some(done) = soft.run_until_cancelled(&mut run).await {
        return done;
    }
    let done = tokio::select! {
        biased;
        done = run => done,
        never = note_for_ever(begun, claimed, context) => match never {},
    };
    match &done {
        Err(FlowError::Interrupted(Interruption::CutShort)) => note(begun, claimed, context).await,
        Ok(_) | Err(_) => forget(claimed, context).await,
    }
    done
}

async fn note_for_ever(
    begun: Instant,
    claimed: &ClaimedDatum,
    context: &WorkerContext,
) -> Infallible {
    loop {
        note(begun, claimed, context).await;
        sleep(NOTE_EVERY).await;
    }
}

async fn note(begun: Instant, claimed: &ClaimedDatum, context: &WorkerContext) {
    let (job, index) = (claimed.job.id, claimed.datum.index);
    let seconds = begun.elapsed().as_secs_f64();
    let noted = context
        .ledger
        .note_waste(job, index, &claimed.claim, seconds);
    if let Err(error) = noted.await {
        tracing::debug!(job.id = %job, datum.index = index, "the time of a run cannot be noted: {error}");
    }
}

async fn forget(claimed: &ClaimedDatum, context: &WorkerContext) {
    let (job, index) = (claimed.job.id, claimed.datum.index);
    if let Err(error) = context
        .ledger
        .forget_waste(job, index, &claimed.claim)
        .await
    {
        tracing::debug!(job.id = %job, datum.index = index, "the note of a run cannot be removed: {error}");
    }
}
