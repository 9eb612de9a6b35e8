//! Heeds what is broadcast: a job that is stopped is ended here at once, and its coordinator is told when nothing of
//! it runs any more. What is missed does no harm: the ledger says it too, when the job's next datum comes.

use std::convert::Infallible;
use std::sync::Arc;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::queue::Consumer;
use drover_shared::wire::{self, Control, Event, Message, Report};
use tracing::Instrument;

use crate::context::Tools;

/// Heeds hints for ever.
pub(crate) async fn heed(
    mut hints: Box<dyn Consumer>,
    pipelines: &[PipelineName],
    tools: &Arc<Tools>,
) -> Infallible {
    let pipelines: Arc<[PipelineName]> = pipelines.into();
    loop {
        let hint = match hints.next().await {
            Ok(hint) => hint,
            Err(error) => {
                tracing::warn!("stops are not heard of any more, only read of: {error}");
                return std::future::pending().await;
            }
        };
        if let Some(job) = stopped(&hint.body) {
            let let_go = let_go(job, Arc::clone(&pipelines), Arc::clone(tools));
            tools.tokens.tracker.spawn(let_go.in_current_span());
        }
        // A hint that is not acked comes again; so it is only heeded once more.
        let _ = hint.ack().await;
    }
}

/// The job that a hint says was stopped, if it says that.
fn stopped(body: &[u8]) -> Option<JobId> {
    match wire::decode(body) {
        Ok(Message::Control(Control::Stop { job })) => return Some(job),
        Ok(Message::Control(Control::Submitted { .. })) => {}
        Ok(_) => tracing::debug!("a hint was no hint, and is ignored"),
        Err(error) => tracing::debug!("a hint is not understood, and ignored: {error}"),
    }
    None
}

/// Ends all that runs of a job, then tells its coordinator, if it may count on this worker.
async fn let_go(job: JobId, pipelines: Arc<[PipelineName]>, tools: Arc<Tools>) {
    let pipeline = match tools.jobs.stop(job).await {
        Ok(pipeline) => pipeline,
        Err(error) => {
            tracing::warn!(job.id = %job, "job {job} was stopped, but its record cannot be read: {error}");
            return;
        }
    };
    if !pipelines.contains(&pipeline) {
        return;
    }
    tools.in_hand.empty_of(job).await;
    tracing::info!(job.id = %job, pipeline.name = %pipeline, "job {job} was stopped and is let go");
    let worker = tools.settings.worker.clone();
    let report = Report {
        job,
        redeliveries: 0,
        event: Event::LetGo { worker },
    };
    if tools.send(report, &pipeline).await.is_err() {
        tracing::warn!(job.id = %job, "the coordinator of job {job} was not told that it is let go");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stop_is_a_stop() {
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
