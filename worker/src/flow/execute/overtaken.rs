//! Copies: a datum may run on several workers at the same time. The first commit counts, and the others end their commands.

use std::pin::pin;
use std::time::{Duration, Instant};

use drover_shared::pipeline::StragglerRule;
use tokio::time::timeout;

use crate::context::WorkerContext;
use crate::flow::claimed::ClaimedDatum;

/// Shortest time between two looks for a verdict, unless the leader reports a verdict.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// Longest time between two looks.
const MOST_PAUSE: Duration = Duration::from_secs(30);

/// Waits for the run of a datum, whose command is ended once another worker has committed a verdict.
pub(super) async fn until_overtaken<T>(
    run: impl Future<Output = T>,
    claimed: &ClaimedDatum,
    context: &WorkerContext,
) -> T {
    let mut run = pin!(run);
    tokio::select! {
        biased;
        done = &mut run => return done,
        () = committed_elsewhere(claimed, context) => {}
    }
    tracing::info!(job.id = %claimed.job.id, datum.index = claimed.datum.index, "another worker was faster; the command is ended");
    claimed.command_over.cancel();
    run.await
}

/// Waits until another worker has committed a verdict. The leader tells of one; as the broadcast may be lost, the ledger is looked
/// at from time to time, the less often the longer the datum runs.
async fn committed_elsewhere(claimed: &ClaimedDatum, context: &WorkerContext) {
    if claimed.job.pipeline.stragglers == StragglerRule::Wait {
        return std::future::pending().await;
    }
    let begun = Instant::now();
    let mut told = Box::pin(context.copies_ended.notified());
    loop {
        let pause = (begun.elapsed() / 16).clamp(LEAST_PAUSE, MOST_PAUSE);
        let _ = timeout(pause, &mut told).await;
        // Registered before the look, so no broadcast between the two is missed.
        told.set(context.copies_ended.notified());
        match claimed.committed(&context.ledger).await {
            Ok(Some(_)) => return,
            Ok(None) => {}
            Err(error) => tracing::debug!("no verdict can be looked for: {error}"),
        }
    }
}
