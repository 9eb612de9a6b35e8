//! A consumer, what it holds, and the answers to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::backlog::{Backlog, Message};
use crate::queue::{Consumer, Delivery, QueueError, Settle};

/// What `next` finds.
enum Found {
    Delivery(Delivery),
    NoRoom,
    NothingReady,
}

#[derive(Debug)]
pub(super) struct EmbeddedConsumer {
    backlog: Arc<Backlog>,
    held: Arc<Held>,
    prefetch: usize,
    stopped: bool,
}

/// The unsettled deliveries of one consumer, by their place in the order of publishing.
#[derive(Debug, Default)]
struct Held {
    messages: Mutex<BTreeMap<u64, Message>>,
    /// One of them was settled.
    settled: Notify,
}

impl EmbeddedConsumer {
    pub(super) fn new(backlog: Arc<Backlog>, prefetch: u16) -> Self {
        let prefetch = usize::from(prefetch.max(1));
        Self {
            backlog,
            held: Arc::default(),
            prefetch,
            stopped: false,
        }
    }

    fn find(&self) -> Found {
        let mut held = self.held.lock();
        if held.len() >= self.prefetch {
            return Found::NoRoom;
        }
        let Some(message) = self.backlog.pop() else {
            return Found::NothingReady;
        };
        let claim = Claim {
            backlog: Arc::clone(&self.backlog),
            held: Arc::clone(&self.held),
            sequence: message.sequence,
        };
        let delivery = Delivery::new(message.body.clone(), message.redeliveries, Box::new(claim));
        held.insert(message.sequence, message);
        Found::Delivery(delivery)
    }
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        if self.stopped {
            return Err(QueueError::Closed);
        }
        loop {
            match self.find() {
                Found::Delivery(delivery) => return Ok(delivery),
                Found::NoRoom => self.held.settled.notified().await,
                Found::NothingReady => self.backlog.arrived.notified().await,
            }
        }
    }

    async fn stop(&mut self) -> Result<(), QueueError> {
        self.stopped = true;
        Ok(())
    }
}

impl Drop for EmbeddedConsumer {
    fn drop(&mut self) {
        let abandoned = std::mem::take(&mut *self.held.lock());
        for (_, message) in abandoned {
            let redeliveries = message.redeliveries + 1;
            self.backlog.put_back(Message {
                redeliveries,
                ..message
            });
        }
    }
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to answer one delivery, lost when the consumer goes.
#[derive(Debug)]
struct Claim {
    backlog: Arc<Backlog>,
    held: Arc<Held>,
    sequence: u64,
}

impl Claim {
    /// Takes the message out of the consumer's hands, if it is still there, for `answer`.
    fn settle(self, answer: impl FnOnce(&Backlog, Message)) -> bool {
        let message = self.held.lock().remove(&self.sequence);
        let held = message.is_some();
        if let Some(message) = message {
            answer(&self.backlog, message);
            self.held.settled.notify_one();
        }
        held
    }
}

#[async_trait]
impl Settle for Claim {
    async fn ack(self: Box<Self>) -> Result<bool, QueueError> {
        Ok(self.settle(|_, _| ()))
    }

    async fn hand_back(self: Box<Self>) -> Result<bool, QueueError> {
        Ok(self.settle(Backlog::put_back))
    }

    async fn reject(self: Box<Self>) -> Result<bool, QueueError> {
        Ok(self.settle(Backlog::bury))
    }
}
