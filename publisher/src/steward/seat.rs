//! The seat: the reports of a pipeline, in the hands of the one process that coordinates it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drover_shared::id::PipelineName;
use drover_shared::queue::{Broker, Consumer, Delivery, Queue, QueueError};
use drover_shared::wire::{Baton, Message, decode, encode};
use tokio::time::{Instant, sleep_until};

use crate::coordinator::REPORTS;

/// How long a baton is held before a new one takes its place: well below the half hour after which brokers take
/// an unanswered message away.
const RENEW_EVERY: Duration = Duration::from_mins(5);

/// The reports of a pipeline without the batons, which it sees to. Dropping it passes the baton on.
pub(super) struct Seat {
    broker: Arc<dyn Broker>,
    pipeline: PipelineName,
    me: String,
    reports: Box<dyn Consumer>,
    baton: Option<Delivery>,
    /// A report that came before any baton.
    first: Option<Delivery>,
    renew: Instant,
}

impl Seat {
    /// Waits until the seat is ours: whoever is given anything at all is the one that the broker serves. `me` names this
    /// process to people.
    ///
    /// Nothing is answered yet. Should this process freeze before it has begun its epoch, the seat may go back to its
    /// predecessor, who would miss the reports that were answered here.
    pub(super) async fn take(
        broker: Arc<dyn Broker>,
        pipeline: &PipelineName,
        me: &str,
    ) -> Result<Self, QueueError> {
        broker.declare(pipeline).await?;
        let queue = Queue::Reports(pipeline.clone());
        let reports = broker.consume(&queue, REPORTS).await?;
        let mut seat = Self {
            broker,
            pipeline: pipeline.clone(),
            me: me.to_owned(),
            reports,
            baton: None,
            first: None,
            renew: Instant::now(),
        };
        while seat.baton.is_none() && seat.first.is_none() {
            seat.first = seat.look().await?;
        }
        Ok(seat)
    }

    /// The next report; none if it was a baton, or time to send one. Cancel-safe.
    async fn look(&mut self) -> Result<Option<Delivery>, QueueError> {
        tokio::select! {
            biased;
            delivery = self.reports.next() => {
                let delivery = delivery?;
                if matches!(decode(&delivery.body), Ok(Message::Baton(_))) {
                    self.keep(delivery).await?;
                    return Ok(None);
                }
                Ok(Some(delivery))
            }
            () = sleep_until(self.renew) => {
                self.send_baton().await?;
                self.renew = Instant::now() + RENEW_EVERY;
                Ok(None)
            }
        }
    }

    /// Holds the newest baton; one is enough.
    async fn keep(&mut self, baton: Delivery) -> Result<(), QueueError> {
        if let Some(older) = self.baton.replace(baton) {
            older.ack().await?;
        }
        Ok(())
    }

    async fn send_baton(&mut self) -> Result<(), QueueError> {
        let baton = Message::Baton(Baton {
            from: self.me.clone(),
        });
        match encode(&baton) {
            Ok(body) => {
                let queue = Queue::Reports(self.pipeline.clone());
                self.broker.publish(&queue, body).await
            }
            Err(error) => Err(QueueError::Unavailable {
                message: error.to_string(),
            }),
        }
    }
}

#[async_trait]
impl Consumer for Seat {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        loop {
            if let Some(report) = self.look().await? {
                return Ok(report);
            }
        }
    }

    async fn stop(&mut self) -> Result<(), QueueError> {
        self.reports.stop().await
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::queue::Embedded;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_candidate_that_goes_before_its_reign_has_answered_no_report() {
        let broker: Arc<dyn Broker> = Arc::new(Embedded::new(9));
        let pipeline: PipelineName = "p".parse().unwrap();
        broker.declare(&pipeline).await.unwrap();
        let queue = Queue::Reports(pipeline.clone());
        for report in ["one", "two"] {
            broker.publish(&queue, report.into()).await.unwrap();
        }
        drop(
            Seat::take(Arc::clone(&broker), &pipeline, "frozen")
                .await
                .unwrap(),
        );
        let mut seat = Seat::take(broker, &pipeline, "next").await.unwrap();
        for report in ["one", "two"] {
            let next = timeout(Duration::from_secs(20), seat.next()).await;
            let next = next.expect("it was answered by the one before").unwrap();
            assert_eq!(next.body, report);
            next.ack().await.unwrap();
        }
    }
}
