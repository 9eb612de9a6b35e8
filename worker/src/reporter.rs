//! Reports on their way to the coordinators.
//!
//! A broker's work goes by the message, and short datums end faster than it confirms one. So reports go together: those
//! that come while others are on their way, and, for a moment, until half of what the worker has in hand has ended. As the
//! other half is enough to keep its slots at work, nobody is idle for it, and the report on a last datum waits for nobody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use drover_shared::id::PipelineName;
use drover_shared::queue::{Broker, Queue, QueueError};
use drover_shared::wire::{Message, Report, WireError, encode};
use tokio::sync::Notify;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::timeout;

use crate::jobs::InHand;

/// How long a report waits for others to go with, at most: less than anybody who watches can see.
const COMPANY: Duration = Duration::from_millis(30);

/// Sends the reports of a worker.
#[derive(Debug, Default)]
pub(crate) struct Reporter {
    lanes: Mutex<HashMap<PipelineName, Arc<Lane>>>,
}

/// The reports on one pipeline.
#[derive(Debug, Default)]
struct Lane {
    waiting: Mutex<Vec<Letter>>,
    /// There is one more.
    more: Notify,
    /// Held by whose message is on its way.
    road: tokio::sync::Mutex<()>,
}

/// A report that waits to be sent, and whom to tell that the queue has it.
#[derive(Debug)]
struct Letter {
    report: Report,
    arrived: oneshot::Sender<()>,
}

impl Reporter {
    /// Sends a report to the coordinator of `pipeline`, together with others if many datums are `in_hand`; returns once
    /// the queue has it safe. It may arrive twice. Who gives up waiting holds nobody else's report up.
    pub(crate) async fn send(
        &self,
        report: Report,
        pipeline: &PipelineName,
        in_hand: &InHand,
        broker: &dyn Broker,
    ) -> Result<(), QueueError> {
        let lane = self.lane(pipeline);
        loop {
            let mut arrived = lane.put(report.clone());
            let _road = lane.road.lock().await;
            match arrived.try_recv() {
                Ok(()) => return Ok(()),
                Err(TryRecvError::Empty) => {
                    let _ = timeout(COMPANY, lane.half_of(in_hand)).await; // else with those there are
                    return lane.carry_all(pipeline, broker).await;
                }
                // Whoever carried it gave up, or was refused; it may be this report that is at fault.
                Err(TryRecvError::Closed) => {}
            }
        }
    }

    fn lane(&self, pipeline: &PipelineName) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        match lanes.get(pipeline) {
            Some(lane) => Arc::clone(lane),
            None => Arc::clone(lanes.entry(pipeline.clone()).or_default()),
        }
    }
}

impl Lane {
    fn put(&self, report: Report) -> oneshot::Receiver<()> {
        let (arrived, receiver) = oneshot::channel();
        self.waiting().push(Letter { report, arrived });
        self.more.notify_one();
        receiver
    }

    /// Waits until there are reports on half of what is in hand. Cancel-safe.
    async fn half_of(&self, in_hand: &InHand) {
        while self.waiting().len() * 2 < in_hand.len() {
            self.more.notified().await;
        }
    }

    /// Sends what waits; an error leaves it to each of the others to try once more.
    async fn carry_all(
        &self,
        pipeline: &PipelineName,
        broker: &dyn Broker,
    ) -> Result<(), QueueError> {
        let letters = std::mem::take(&mut *self.waiting());
        let (reports, waiting): (Vec<_>, Vec<_>) = letters
            .into_iter()
            .map(|letter| (letter.report, letter.arrived))
            .unzip();
        let queue = Queue::Reports(pipeline.clone());
        for body in bodies(reports) {
            broker.publish(&queue, body).await?;
        }
        for arrived in waiting {
            let _ = arrived.send(()); // whoever gave up waiting need not know
        }
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Letter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reports in as few messages as they fit into.
fn bodies(reports: Vec<Report>) -> Vec<Bytes> {
    let several = reports.len() > 1;
    let message = Message::Reports(reports);
    match (encode(&message), message) {
        (Ok(body), _) => vec![body],
        (Err(WireError::TooLarge { .. }), Message::Reports(mut first)) if several => {
            let second = first.split_off(first.len() / 2);
            let (mut first, second) = (bodies(first), bodies(second));
            first.extend(second);
            first
        }
        // The verdict is in the ledger, where a coordinator finds it; the queue must flow on.
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

    /// A report on a datum that failed with so many bytes of last words.
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

    fn pipeline() -> PipelineName {
        "p".parse().unwrap()
    }

    /// A queue with room for one message, and a consumer of its reports.
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
    async fn reports_that_come_while_one_is_on_its_way_go_together() {
        let (broker, mut reports) = narrow().await;
        let (reporter, pipeline, in_hand) = (Reporter::default(), pipeline(), InHand::default());
        let send = |index| reporter.send(report(index, 1), &pipeline, &in_hand, &broker);
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
    async fn who_gives_up_takes_nobody_elses_report_along() {
        let (broker, mut reports) = narrow().await;
        let (reporter, pipeline, in_hand) = (Reporter::default(), pipeline(), InHand::default());
        let send = |index| reporter.send(report(index, 1), &pipeline, &in_hand, &broker);
        send(0).await.unwrap();
        let mut first = pin!(send(1));
        let mut carrier = Box::pin(send(2));
        let mut other = pin!(send(3));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(carrier.as_mut().now_or_never().is_none());
        assert!(other.as_mut().now_or_never().is_none());
        assert_eq!(next(&mut reports).await, [0]);
        first.await.unwrap();
        assert!(carrier.as_mut().now_or_never().is_none());
        drop(carrier);
        assert_eq!(next(&mut reports).await, [1]);
        other.await.unwrap();
        assert_eq!(next(&mut reports).await, [3]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_waits_a_moment_until_half_of_what_is_in_hand_has_ended() {
        let (broker, mut reports) = narrow().await;
        let (reporter, pipeline, in_hand) = (Reporter::default(), pipeline(), InHand::default());
        let send = |index| reporter.send(report(index, 1), &pipeline, &in_hand, &broker);
        let job = JobId::generate();
        let mut holds = Vec::new();
        for index in 0..4 {
            holds.push(in_hand.take(job, index).await);
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
        assert_eq!(begun.elapsed(), COMPANY, "there was no company to come");
        holds.truncate(1);
        send(3).await.unwrap();
        assert_eq!(next(&mut reports).await, [3]);
        assert_eq!(begun.elapsed(), COMPANY, "it was the last one in hand");
    }

    #[test]
    fn what_does_not_fit_into_one_message_goes_in_several_and_what_fits_into_none_is_left_to_the_ledger()
     {
        let mebibytes = |count: usize| count << 20;
        let reports = vec![
            report(0, mebibytes(7)),
            report(1, mebibytes(7)),
            report(2, mebibytes(17)),
            report(3, mebibytes(7)),
        ];
        let sent: Vec<_> = bodies(reports).iter().map(|body| indexes(body)).collect();
        assert_eq!(sent, [vec![0, 1], vec![3]]);
    }
}
