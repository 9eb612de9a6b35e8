//! The consumer of the embedded broker, with unsettled deliveries and claims.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::backlog::{Backlog, Message};
use super::consumer_order::ConsumerOrder;
use crate::queue::{Consumer, Delivery, QueueError, Settle};

/// Outcome of an attempt to take a message.
enum NextDelivery {
    Delivery(Delivery),
    NoRoom,
    NothingReady,
}

#[derive(Debug)]
pub(super) struct EmbeddedConsumer {
    backlog: Arc<Backlog>,
    unsettled: Arc<UnsettledDeliveries>,
    prefetch: usize,
    /// Place in the order of consumers, for a single active consumer.
    place: Option<u64>,
    stopped: bool,
}

/// The unsettled deliveries of a consumer, by their number in the order of publishing.
#[derive(Debug, Default)]
struct UnsettledDeliveries {
    messages: Mutex<BTreeMap<u64, Message>>,
    /// Signals a settled delivery.
    settled: Notify,
    /// Cancelled when the consumer goes away.
    lost: CancellationToken,
}

impl EmbeddedConsumer {
    pub(super) fn new(backlog: Arc<Backlog>, prefetch: u16) -> Self {
        let prefetch = usize::from(prefetch.max(1));
        backlog.consumers.fetch_add(1, Ordering::Relaxed);
        Self {
            place: backlog.consumer_order.as_ref().map(ConsumerOrder::join),
            backlog,
            unsettled: Arc::default(),
            prefetch,
            stopped: false,
        }
    }

    fn take_next(&self) -> NextDelivery {
        let mut unsettled = self.unsettled.lock();
        if unsettled.len() >= self.prefetch {
            return NextDelivery::NoRoom;
        }
        let Some(message) = self.backlog.pop() else {
            return NextDelivery::NothingReady;
        };
        let claim = EmbeddedClaim {
            backlog: Arc::clone(&self.backlog),
            unsettled: Arc::clone(&self.unsettled),
            sequence: message.sequence,
        };
        let delivery = Delivery::new(message.body.clone(), message.redeliveries, Box::new(claim))
            .with_dead_letter_reason(message.dead_letter_reason.clone());
        unsettled.insert(message.sequence, message);
        NextDelivery::Delivery(delivery)
    }

    fn leave(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        self.backlog.consumers.fetch_sub(1, Ordering::Relaxed);
        if let (Some(consumer_order), Some(place)) = (&self.backlog.consumer_order, self.place) {
            consumer_order.leave(place);
        }
    }
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        if self.stopped {
            return Err(QueueError::Closed);
        }
        if let (Some(consumer_order), Some(place)) = (&self.backlog.consumer_order, self.place) {
            consumer_order.wait_for_turn(place).await;
        }
        loop {
            match self.take_next() {
                NextDelivery::Delivery(delivery) => return Ok(delivery),
                NextDelivery::NoRoom => self.unsettled.settled.notified().await,
                NextDelivery::NothingReady => self.backlog.arrived.notified().await,
            }
        }
    }

    async fn stop(&mut self) -> Result<(), QueueError> {
        self.leave();
        Ok(())
    }
}

impl Drop for EmbeddedConsumer {
    fn drop(&mut self) {
        self.unsettled.lost.cancel();
        let abandoned = std::mem::take(&mut *self.unsettled.lock());
        for (_, message) in abandoned {
            let redeliveries = message.redeliveries + 1;
            self.backlog.requeue(Message {
                redeliveries,
                ..message
            });
        }
        self.leave();
    }
}

impl UnsettledDeliveries {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to answer a delivery, lost when the consumer goes away.
#[derive(Debug)]
struct EmbeddedClaim {
    backlog: Arc<Backlog>,
    unsettled: Arc<UnsettledDeliveries>,
    sequence: u64,
}

impl EmbeddedClaim {
    /// Removes the message from the unsettled deliveries, if the claim is not lost, and applies `answer`.
    fn settle(self, answer: impl FnOnce(&Backlog, Message)) -> bool {
        let message = self.unsettled.lock().remove(&self.sequence);
        let unsettled = message.is_some();
        if let Some(message) = message {
            answer(&self.backlog, message);
            self.unsettled.settled.notify_one();
        }
        unsettled
    }
}

#[async_trait]
impl Settle for EmbeddedClaim {
    async fn ack(self: Box<Self>) -> Result<bool, QueueError> {
        Ok(self.settle(|_, _| ()))
    }

    async fn requeue(self: Box<Self>) -> Result<bool, QueueError> {
        Ok(self.settle(Backlog::requeue))
    }

    async fn reject(self: Box<Self>, reason: &str) -> Result<bool, QueueError> {
        Ok(self.settle(|backlog, message| backlog.dead_letter(message, reason)))
    }

    fn is_live(&self) -> bool {
        self.unsettled.lock().contains_key(&self.sequence)
    }

    fn lost(&self) -> &CancellationToken {
        &self.unsettled.lost
    }
}
