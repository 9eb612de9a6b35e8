//! A consumer, what it holds, and the answers to it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::backlog::{Backlog, Message};
use super::line::Line;
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
    /// Its place in line, where only one consumer at a time receives.
    place: Option<u64>,
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
        backlog.consumers.fetch_add(1, Ordering::Relaxed);
        Self {
            place: backlog.line.as_ref().map(Line::join),
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
        let delivery = Delivery::new(message.body.clone(), message.redeliveries, Box::new(claim))
            .dead_because(message.why_dead.clone());
        held.insert(message.sequence, message);
        Found::Delivery(delivery)
    }

    fn leave(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        self.backlog.consumers.fetch_sub(1, Ordering::Relaxed);
        if let (Some(line), Some(place)) = (&self.backlog.line, self.place) {
            line.leave(place);
        }
    }
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        if self.stopped {
            return Err(QueueError::Closed);
        }
        if let (Some(line), Some(place)) = (&self.backlog.line, self.place) {
            line.turn(place).await;
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
        self.leave();
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
        self.leave();
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

    async fn reject(self: Box<Self>, reason: &str) -> Result<bool, QueueError> {
        Ok(self.settle(|backlog, message| backlog.bury(message, reason)))
    }

    fn is_live(&self) -> bool {
        self.held.lock().contains_key(&self.sequence)
    }
}
