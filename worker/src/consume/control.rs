//! The control listener. A broadcast `stop` cancels the job in the current worker at once, and the pipeline's leader is told
//! when none of the job's datums runs any more. A missed broadcast does no harm: the ledger holds the stop request as
//! well, and the worker reads it with the job's next datum.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::queue::Consumer;
use drover_shared::wire::{self, Control, Event, Message, Report};
use tracing::Instrument;

use crate::context::WorkerContext;
use crate::jobs::StoppedJob;

/// Handles control messages for ever.
pub(crate) async fn listen_for_control(
    mut messages: Box<dyn Consumer>,
    pipelines: &[PipelineName],
    context: &Arc<WorkerContext>,
) -> Infallible {
    let pipelines: Arc<[PipelineName]> = pipelines.into();
    loop {
        let message = match messages.next().await {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(
                    "control subscription lost; stop requests are noticed at a job's next datum: {error}"
                );
                return std::future::pending().await;
            }
        };
        if let Some(job) = stopped(&message.body) {
            let body = message.body.clone();
            let released = release_job(job, body, Arc::clone(&pipelines), Arc::clone(context));
            context.tokens.tracker.spawn(released.in_current_span());
        }
        // A lost ack redelivers the message; to handle a stop twice is harmless.
        let _ = message.ack().await;
    }
}

/// The job of a `stop` message; none for other messages.
fn stopped(body: &[u8]) -> Option<JobId> {
    match wire::decode(body) {
        Ok(Message::Control(Control::Stop { job })) => return Some(job),
        Ok(Message::Control(Control::Submitted { .. })) => {}
        Ok(_) => tracing::debug!("ignoring a message of another kind on the control queue"),
        Err(error) => tracing::debug!("ignoring a malformed control message: {error}"),
    }
    None
}

/// Cancels a job, waits until none of its datums runs here, and reports that to the pipeline's leader. Jobs of
/// pipelines that the current worker does not consume are not reported.
async fn release_job(
    job: JobId,
    message: Bytes,
    pipelines: Arc<[PipelineName]>,
    context: Arc<WorkerContext>,
) {
    let StoppedJob { pipeline, key } = match context.jobs.stop(job, &message).await {
        Ok(Some(stopped)) => stopped,
        Ok(None) => {
            tracing::warn!(job.id = %job, "ignoring a message that job {job} was stopped: its sender does not have the key of the job, and the store has no request for a stop");
            return;
        }
        Err(error) => {
            tracing::warn!(job.id = %job, "job {job} was stopped, but its record cannot be read: {error}");
            return;
        }
    };
    if !pipelines.contains(&pipeline) {
        return;
    }
    context.in_flight.empty_of(job).await;
    tracing::info!(job.id = %job, pipeline.name = %pipeline, "job {job} was stopped; none of its datums runs here any more");
    let worker = context.settings.worker.clone();
    let report = Report {
        job,
        redeliveries: 0,
        event: Event::Released { worker },
    };
    if context.send(report, key, &pipeline).await.is_err() {
        tracing::warn!(job.id = %job, "the leader was not told that job {job} runs here no more");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stop_message_stops_a_job() {
        let job = JobId::generate();
        let pipeline = "p".parse().unwrap();
        let encode = |control| wire::encode(&Message::Control(control)).unwrap();
        assert_eq!(stopped(&encode(Control::Stop { job })), Some(job));
        let rows = [
            encode(Control::Submitted { pipeline, job }),
            "garbage".into(),
            r#"{"kind":"control","version":9,"event":"stop"}"#.into(),
            r#"{"kind":"control","version":1,"event":"unheard of"}"#.into(),
        ];
        for body in rows {
            assert_eq!(stopped(&body), None, "{body:?}");
        }
    }
}
