//! Tells the leader of an attempt that takes long.

use std::time::Duration;

use drover_shared::pipeline::Limit;
use drover_shared::wire::{Event, Report};
use jiff::Timestamp;

use super::order::CommandRole;
use crate::context::WorkerContext;
use crate::flow::claimed::ClaimedDatum;

/// An attempt shorter than this is not reported as running: nobody could see it, and most datums of a large job are
/// short.
const REPORT_AFTER: Duration = Duration::from_millis(200);

/// Reports an attempt as running once it has taken long enough, then waits for ever.
pub(super) async fn report_when_long(
    claimed: &ClaimedDatum,
    context: &WorkerContext,
    role: CommandRole,
    since: Timestamp,
) -> std::convert::Infallible {
    let CommandRole::Attempt(attempt) = role else {
        return std::future::pending().await;
    };
    let ClaimedDatum {
        job,
        datum,
        redeliveries,
        ..
    } = claimed;
    let has_rate = |limit: &Limit| matches!(limit, Limit::Rate(_));
    // The leader counts the begins.
    if !job.pipeline.limits.iter().any(has_rate) {
        tokio::time::sleep(REPORT_AFTER).await;
    }
    let report = Report {
        job: job.id,
        redeliveries: *redeliveries,
        event: Event::Running {
            index: datum.index,
            attempt,
            worker: context.settings.worker.clone(),
            since,
            input_bytes: Some(datum.input_bytes()),
        },
    };
    let _reported = context.reported_attempts.note(datum.index, report.clone());
    let sent = context.send(report, job.key, &job.pipeline.name);
    if sent.await.is_err() {
        tracing::debug!(job.id = %job.id, datum.index, "a running attempt could not be reported");
    }
    std::future::pending().await
}
