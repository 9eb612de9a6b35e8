//! The control listener. A broadcast `stop` cancels the job in the current worker at once, a broadcast `close` lets no other
//! datum of the job begin; the pipeline's leader is told when none of the job's datums runs any more. A missed broadcast does no
//! harm: the ledger holds the stop request as well, and the worker reads the request with the job's next datum. A leader may
//! also ask for the datums of a job that the current worker holds.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drover_shared::datum::IndexRanges;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::queue::{Consumer, Queue};
use drover_shared::wire::{self, Authenticity, Control, Event, Message, Report, authenticity};
use futures::future::join_all;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tracing::Instrument;

use crate::consume::presence::read_weight;
use crate::consume::selection::PipelineSelection;
use crate::context::WorkerContext;
use crate::jobs::EndingJob;

/// Time limit of the answer to an inquiry; the leader does not wait longer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest wait for the datums of a job of which no other datum may begin.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Most control messages handled at the same time. A stranger at the broker can send any number; dropped messages of leaders are
/// repeated.
const MOST_HANDLED: usize = 64;

/// Handles control messages for ever.
pub(crate) async fn listen_for_control(
    mut messages: Box<dyn Consumer>,
    hints: mpsc::Sender<PipelineName>,
    selection: &PipelineSelection,
    context: &Arc<WorkerContext>,
) -> Infallible {
    let room = Arc::new(Semaphore::new(MOST_HANDLED));
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
        let room = Arc::clone(&room).try_acquire_owned();
        match (requested(&message.body), room) {
            (Some(Request::Serve(pipeline)), _) => {
                if selection.matches(&pipeline) {
                    // Of too many hints, those dropped are found by the next search.
                    let _ = hints.try_send(pipeline);
                }
            }
            (Some(request), Ok(room)) => {
                let handled = handle(request, message.body.clone(), Arc::clone(context));
                let handled = async move {
                    handled.await;
                    drop(room);
                };
                context.tokens.tracker.spawn(handled.in_current_span());
            }
            (Some(_), Err(_)) | (None, _) => {}
        }
        // A lost ack redelivers the message; to handle a stop twice is harmless.
        let _ = message.ack().await;
    }
}

async fn handle(request: Request, message: Bytes, context: Arc<WorkerContext>) {
    match request {
        Request::Close(job) => close_job(job, message, context).await,
        Request::Release(job) => release_job(job, message, context).await,
        // The leader counts the answers of the pipeline's workers.
        Request::ReportHeld(inquiry) if context.roster.has(&inquiry.pipeline) => {
            report_held(inquiry, &message, &context).await;
        }
        Request::LookForVerdicts(job, datums) => {
            look_for_verdicts(job, &datums, &message, &context).await;
        }
        Request::ReadWeight(pipeline) if context.roster.has(&pipeline) => {
            read_weight(&pipeline, &context).await;
        }
        Request::ReportHeld(_) | Request::ReadWeight(_) | Request::Serve(_) => {}
    }
}

/// A control message for workers.
#[derive(Debug, Eq, PartialEq)]
enum Request {
    /// A job of the pipeline waits for workers.
    Serve(PipelineName),
    /// Priority or share of the pipeline was changed.
    ReadWeight(PipelineName),
    /// No other datum of the job may begin.
    Close(JobId),
    /// The job was stopped.
    Release(JobId),
    /// The leader asks for the datums that the worker holds.
    ReportHeld(Inquiry),
    /// Datums of the job, run by several workers, have a verdict.
    LookForVerdicts(JobId, IndexRanges),
}

/// See [`Control::ReportHeld`].
#[derive(Debug, Eq, PartialEq)]
struct Inquiry {
    pipeline: PipelineName,
    job: JobId,
    name: String,
    term: Option<u64>,
}

/// The request in a message; none for messages to others.
fn requested(body: &[u8]) -> Option<Request> {
    match wire::decode(body) {
        Ok(Message::Control(Control::Shared { pipeline })) => {
            return Some(Request::ReadWeight(pipeline));
        }
        Ok(Message::Control(Control::Close { job })) => return Some(Request::Close(job)),
        Ok(Message::Control(Control::Stop { job })) => return Some(Request::Release(job)),
        Ok(Message::Control(Control::Committed { job, datums })) => {
            return Some(Request::LookForVerdicts(job, datums));
        }
        Ok(Message::Control(Control::ReportHeld {
            pipeline,
            job,
            inquiry,
            term,
        })) => {
            return Some(Request::ReportHeld(Inquiry {
                pipeline,
                job,
                name: inquiry,
                term,
            }));
        }
        Ok(Message::Control(Control::Submitted { pipeline, .. })) => {
            return Some(Request::Serve(pipeline));
        }
        Ok(_) => tracing::debug!("ignoring a message of another kind on the control queue"),
        Err(error) => tracing::debug!("ignoring a malformed control message: {error}"),
    }
    None
}

/// Lets no other datum of a job begin, and tells the pipeline's leader once none runs here.
async fn close_job(job: JobId, message: Bytes, context: Arc<WorkerContext>) {
    match context.jobs.close(job, &message).await {
        Ok(Some(closed)) => {
            // The message is repeated, so no long wait takes the room of other messages.
            let _ = timeout(CLOSE_TIMEOUT, tell_release(job, closed, &context)).await;
        }
        Ok(None) => {
            tracing::warn!(job.id = %job, "ignoring a message that no other datum of job {job} may begin: its sender does not have the key of the job");
        }
        Err(error) => {
            tracing::warn!(job.id = %job, "no other datum of job {job} may begin, but its record cannot be read: {error}");
        }
    }
}

/// Cancels a job, and tells the pipeline's leader once none of its datums runs here.
async fn release_job(job: JobId, message: Bytes, context: Arc<WorkerContext>) {
    match context.jobs.stop(job, &message).await {
        Ok(Some(stopped)) => tell_release(job, stopped, &context).await,
        Ok(None) => {
            tracing::warn!(job.id = %job, "ignoring a message that job {job} was stopped: its sender does not have the key of the job, and the store has no request for a stop");
        }
        Err(error) => {
            tracing::warn!(job.id = %job, "job {job} was stopped, but its record cannot be read: {error}");
        }
    }
}

/// Waits until no datum of the job runs here, and reports that to the pipeline's leader. Jobs of pipelines that the current worker
/// does not consume are not reported.
async fn tell_release(job: JobId, ending: EndingJob, context: &WorkerContext) {
    let EndingJob { pipeline, key } = ending;
    if !context.roster.has(&pipeline) {
        return;
    }
    context.in_flight.empty_of(job).await;
    tracing::info!(job.id = %job, pipeline.name = %pipeline, "job {job} is ending; none of its datums runs here any more");
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

/// Answers an inquiry with the datums of the job that the current worker holds. The answer is a separate message, as an
/// older leader does not understand answers among reports. An older leader asks without an authentication code, and gets an
/// answer; only an authentic inquiry tells the term.
async fn report_held(inquiry: Inquiry, message: &[u8], context: &WorkerContext) {
    let key = match context.jobs.key(inquiry.job).await {
        Ok(key) => key,
        Err(error) => return tracing::debug!("the key of a job cannot be read: {error}"),
    };
    let mut running = Vec::new();
    match authenticity(message, key.as_ref()) {
        Authenticity::Authentic => {
            if let Some(term) = inquiry.term {
                context.terms.is_over(&inquiry.pipeline, term);
            }
            running = context.reported_attempts.of(inquiry.job);
        }
        Authenticity::Unsigned => {}
        Authenticity::Forged => {
            return tracing::debug!(
                "ignoring an inquiry: its sender does not have the key of the job"
            );
        }
    }
    let pipeline = inquiry.pipeline.clone();
    let event = Event::Held {
        inquiry: inquiry.name,
        worker: context.settings.worker.clone(),
        datums: context.held.datums(inquiry.job),
    };
    let report = Message::Reports(vec![Report {
        job: inquiry.job,
        redeliveries: 0,
        event,
    }]);
    let answer = match wire::encode_for(&report, key.as_ref()) {
        Ok(answer) => answer,
        Err(error) => return tracing::error!("the tasks held cannot be reported: {error}"),
    };
    let queue = Queue::Reports(inquiry.pipeline);
    let answered = timeout(ANSWER_TIMEOUT, context.broker.publish(&queue, answer)).await;
    if !matches!(answered, Ok(Ok(()))) {
        tracing::debug!("the tasks held could not be reported; the leader asks again");
    }
    // A new leader does not know of them.
    let sent = running
        .into_iter()
        .map(|report| context.send(report, key, &pipeline));
    let _ = timeout(ANSWER_TIMEOUT, join_all(sent)).await;
}

/// Has the running datums look for verdicts of other workers.
async fn look_for_verdicts(
    job: JobId,
    datums: &IndexRanges,
    message: &[u8],
    context: &WorkerContext,
) {
    if !context.in_flight.has_any(job, datums) {
        return;
    }
    match context.jobs.key(job).await {
        Ok(key) if authenticity(message, key.as_ref()) == Authenticity::Authentic => {
            context.copies_ended.notify_waiters();
        }
        Ok(_) => tracing::debug!("ignoring a message: its sender does not have the key of the job"),
        Err(error) => tracing::debug!("the key of a job cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_to_workers_request_something() {
        let job = JobId::generate();
        let pipeline: PipelineName = "p".parse().unwrap();
        let encode = |control| wire::encode(&Message::Control(control)).unwrap();
        assert_eq!(
            requested(&encode(Control::Stop { job })),
            Some(Request::Release(job))
        );
        assert_eq!(
            requested(&encode(Control::Close { job })),
            Some(Request::Close(job))
        );
        let shared = Control::Shared {
            pipeline: pipeline.clone(),
        };
        assert_eq!(
            requested(&encode(shared)),
            Some(Request::ReadWeight(pipeline.clone()))
        );
        let inquiry = Inquiry {
            pipeline: pipeline.clone(),
            job,
            name: "1".to_owned(),
            term: None,
        };
        let asked = encode(Control::ReportHeld {
            pipeline: pipeline.clone(),
            job,
            inquiry: "1".to_owned(),
            term: None,
        });
        assert_eq!(requested(&asked), Some(Request::ReportHeld(inquiry)));
        let submitted = Control::Submitted {
            pipeline: pipeline.clone(),
            job,
        };
        assert_eq!(
            requested(&encode(submitted)),
            Some(Request::Serve(pipeline))
        );
        let rows: [Bytes; 3] = [
            "garbage".into(),
            r#"{"kind":"control","version":9,"event":"stop"}"#.into(),
            r#"{"kind":"control","version":1,"event":"unheard of"}"#.into(),
        ];
        for body in rows {
            assert_eq!(requested(&body), None, "{body:?}");
        }
    }
}
