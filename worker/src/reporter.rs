//! The reporter: sends reports to the leaders, several in one message.
//!
//! The broker's load grows with the number of messages, and short datums end faster than the broker confirms a message.
//! A message therefore carries all reports that came due while the previous message was being confirmed. It also waits,
//! 30 ms at most, until half of the datums in flight have ended: the other half keeps the slots busy, and the report on
//! the last datum in flight does not wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobKey;
use drover_shared::queue::{Broker, Queue, QueueError};
use drover_shared::wire::{Message, Report, WireError, encode_for};
use tokio::sync::Notify;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::timeout;

use crate::jobs::InFlightDatums;

/// The longest time that a report waits for others: shorter than a watching user can notice.
const BATCH_DELAY: Duration = Duration::from_millis(30);

/// Pipelines from which on those without a report on its way are forgotten.
const REMEMBERED: usize = 256;

/// Sends the reports of a worker.
#[derive(Debug, Default)]
pub(crate) struct Reporter {
    pipelines: Mutex<HashMap<PipelineName, Arc<PipelineReports>>>,
}

/// The reports of one pipeline.
#[derive(Debug, Default)]
struct PipelineReports {
    waiting: Mutex<Vec<PendingReport>>,
    /// Notified for each new report.
    more: Notify,
    /// Held while a message is on its way.
    sending: tokio::sync::Mutex<()>,
}

/// A report that waits to be sent, and the sender of its confirmation.
#[derive(Debug)]
struct PendingReport {
    report: Report,
    /// The key of its job.
    key: Option<JobKey>,
    arrived: oneshot::Sender<()>,
}

impl Reporter {
    /// Sends a report on the job with the `key` to the leader of `pipeline`, together with others if many datums are `in_flight`. Returns once the
    /// broker has confirmed the message. A report may arrive twice. Dropping the future does not delay other reports.
    pub(crate) async fn send(
        &self,
        report: Report,
        key: Option<JobKey>,
        pipeline: &PipelineName,
        in_flight: &InFlightDatums,
        broker: &dyn Broker,
    ) -> Result<(), QueueError> {
        let reports = self.reports_of(pipeline);
        loop {
            let mut arrived = reports.put(report.clone(), key);
            let _sending = reports.sending.lock().await;
            match arrived.try_recv() {
                Ok(()) => return Ok(()),
                Err(TryRecvError::Empty) => {
                    let _ = timeout(BATCH_DELAY, reports.half_of(in_flight)).await;
                    return reports.send_all(pipeline, broker).await;
                }
                // The task with this report failed or was dropped. Perhaps the report is at fault: send it again.
                Err(TryRecvError::Closed) => {}
            }
        }
    }

    fn reports_of(&self, pipeline: &PipelineName) -> Arc<PipelineReports> {
        let mut pipelines = self
            .pipelines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = pipelines.get(pipeline) {
            return Arc::clone(lane);
        }
        if pipelines.len() >= REMEMBERED {
            pipelines.retain(|_, lane| Arc::strong_count(lane) > 1);
        }
        Arc::clone(pipelines.entry(pipeline.clone()).or_default())
    }
}

impl PipelineReports {
    fn put(&self, report: Report, key: Option<JobKey>) -> oneshot::Receiver<()> {
        let (arrived, receiver) = oneshot::channel();
        self.waiting().push(PendingReport {
            report,
            key,
            arrived,
        });
        self.more.notify_one();
        receiver
    }

    /// Waits until half of the datums in flight have a report. Cancel-safe.
    async fn half_of(&self, in_flight: &InFlightDatums) {
        while self.waiting().len() * 2 < in_flight.len() {
            self.more.notified().await;
        }
    }

    /// Sends all waiting reports. After an error each of the other senders retries its own report.
    async fn send_all(
        &self,
        pipeline: &PipelineName,
        broker: &dyn Broker,
    ) -> Result<(), QueueError> {
        let pending = std::mem::take(&mut *self.waiting());
        let mut waiting = Vec::with_capacity(pending.len());
        let mut jobs: Vec<(JobId, Option<JobKey>, Vec<Report>)> = Vec::new();
        for PendingReport {
            report,
            key,
            arrived,
        } in pending
        {
            waiting.push(arrived);
            match jobs.iter_mut().find(|(job, ..)| *job == report.job) {
                Some((_, _, reports)) => reports.push(report),
                None => jobs.push((report.job, key, vec![report])),
            }
        }
        let queue = Queue::Reports(pipeline.clone());
        // The key of the job authenticates the message, so a message is about one job.
        for (_, key, reports) in jobs {
            for body in bodies(reports, key.as_ref()) {
                broker.publish(&queue, body).await?;
            }
        }
        for arrived in waiting {
            let _ = arrived.send(()); // the sender may have been dropped
        }
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<PendingReport>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Encodes the reports on a job in as few messages as possible.
fn bodies(reports: Vec<Report>, key: Option<&JobKey>) -> Vec<Bytes> {
    let several = reports.len() > 1;
    let message = Message::Reports(reports);
    match (encode_for(&message, key), message) {
        (Ok(body), _) => vec![body],
        (Err(WireError::TooLarge { .. }), Message::Reports(mut first)) if several => {
            let second = first.split_off(first.len() / 2);
            let (mut first, second) = (bodies(first, key), bodies(second, key));
            first.extend(second);
            first
        }
        // The leader finds the verdict in the ledger.
        (Err(error), _) => {
            tracing::error!("a report cannot be sent: {error}");
            vec![]
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use drover_shared::datum::Cause;
    use drover_shared::id::JobId;
    use drover_shared::queue::{Consumer, Embedded};
    use drover_shared::wire::{Event, decode};
    use futures::FutureExt;
    use futures::future::{join, join_all};
    use tokio::time::Instant;

    use super::*;

    /// A report on a datum that failed with a last line of `length` bytes.
    fn report(index: u64, length: usize) -> Report {
        let failed = include_bytes!("../../shared/tests/wire/v1/report-ended-failed.json");
        let Ok(Message::Reports(mut reports)) = decode(failed) else {
            panic!("it is a report");
        };
        let mut report = reports.remove(0);
        if let Event::Ended { verdict, .. } = &mut report.event {
            verdict.index = index;
            verdict.cause = Some(Cause::Timeout {
                last_line: "x".repeat(length),
            });
        }
        report
    }

    fn indexes(body: &[u8]) -> Vec<u64> {
        let Ok(Message::Reports(reports)) = decode(body) else {
            panic!("no reports");
        };
        let index = |report: &Report| match &report.event {
            Event::Ended { verdict, .. } => verdict.index,
            other => panic!("{other:?}"),
        };
        reports.iter().map(index).collect()
    }

    #[test]
    fn memory_does_not_grow_with_the_pipelines_that_come_and_go() {
        let reporter = Reporter::default();
        let of = |number: usize| reporter.reports_of(&format!("made-{number}").parse().unwrap());
        let used = of(0);
        for number in 1..10 * REMEMBERED {
            of(number);
            assert!(reporter.pipelines.lock().unwrap().len() <= REMEMBERED);
        }
        assert!(Arc::ptr_eq(&used, &of(0)));
    }

    fn pipeline() -> PipelineName {
        "p".parse().unwrap()
    }

    /// A broker whose queues hold one message, and a consumer of the reports.
    async fn narrow() -> (Embedded, Box<dyn Consumer>) {
        let broker = Embedded::new(1);
        broker.declare(&pipeline()).await.unwrap();
        let reports = broker.consume(&Queue::Reports(pipeline()), 9).await;
        (broker, reports.unwrap())
    }

    async fn next(reports: &mut Box<dyn Consumer>) -> Vec<u64> {
        let delivery = reports.next().await.unwrap();
        let indexes = indexes(&delivery.body);
        delivery.ack().await.unwrap();
        indexes
    }

    #[tokio::test]
    async fn reports_that_come_due_while_one_is_sent_share_a_message() {
        let (broker, mut reports) = narrow().await;
        let (reporter, pipeline, in_flight) =
            (Reporter::default(), pipeline(), InFlightDatums::default());
        let send = |index| reporter.send(report(index, 1), None, &pipeline, &in_flight, &broker);
        send(0).await.unwrap();
        let sending = join_all((1..=9).map(send));
        let taking = async {
            [
                next(&mut reports).await,
                next(&mut reports).await,
                next(&mut reports).await,
            ]
        };
        let (told, messages) = join(sending, taking).await;
        assert!(told.iter().all(Result::is_ok));
        assert_eq!(messages, [vec![0], vec![1], (2..=9).collect()]);
    }

    #[tokio::test]
    async fn a_dropped_sender_takes_no_other_report_along() {
        let (broker, mut reports) = narrow().await;
        let (reporter, pipeline, in_flight) =
            (Reporter::default(), pipeline(), InFlightDatums::default());
        let send = |index| reporter.send(report(index, 1), None, &pipeline, &in_flight, &broker);
        send(0).await.unwrap();
        let mut first = pin!(send(1));
        let mut sender = Box::pin(send(2));
        let mut other = pin!(send(3));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(sender.as_mut().now_or_never().is_none());
        assert!(other.as_mut().now_or_never().is_none());
        assert_eq!(next(&mut reports).await, [0]);
        first.await.unwrap();
        assert!(sender.as_mut().now_or_never().is_none());
        drop(sender);
        assert_eq!(next(&mut reports).await, [1]);
        other.await.unwrap();
        assert_eq!(next(&mut reports).await, [3]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_waits_a_moment_until_half_of_the_datums_in_flight_have_ended() {
        let (broker, mut reports) = narrow().await;
        let (reporter, pipeline, in_flight) =
            (Reporter::default(), pipeline(), InFlightDatums::default());
        let send = |index| reporter.send(report(index, 1), None, &pipeline, &in_flight, &broker);
        let job = JobId::generate();
        let mut holds = Vec::new();
        for index in 0..4 {
            holds.push(in_flight.take(job, index).await);
        }
        let begun = Instant::now();
        let mut first = pin!(send(0));
        assert!(first.as_mut().now_or_never().is_none());
        let (one, other) = join(first, send(1)).await;
        one.and(other).unwrap();
        assert_eq!(next(&mut reports).await, [0, 1]);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        send(2).await.unwrap();
        assert_eq!(next(&mut reports).await, [2]);
        assert_eq!(begun.elapsed(), BATCH_DELAY, "no other report was to come");
        holds.truncate(1);
        send(3).await.unwrap();
        assert_eq!(next(&mut reports).await, [3]);
        assert_eq!(
            begun.elapsed(),
            BATCH_DELAY,
            "it was the last datum in flight"
        );
    }

    #[test]
    fn reports_are_split_by_size_and_one_too_large_is_left_to_the_ledger() {
        let mebibytes = |count: usize| count << 20;
        let reports = vec![
            report(0, mebibytes(7)),
            report(1, mebibytes(7)),
            report(2, mebibytes(17)),
            report(3, mebibytes(7)),
        ];
        let sent: Vec<_> = bodies(reports, None)
            .iter()
            .map(|body| indexes(body))
            .collect();
        assert_eq!(sent, [vec![0, 1], vec![3]]);
    }
}
