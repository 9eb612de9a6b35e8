//! The ready messages of one queue, always in the order of publishing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::consumer_order::ConsumerOrder;
use crate::queue::Depth;

/// Number of deliveries without an answer after which a message moves to the dead queue. A safety net: Drover's own
/// limit on worker deaths (`datum_tries`) is far lower.
pub(super) const DELIVERY_LIMIT: u32 = 1_000;

/// A published message.
#[derive(Debug)]
pub(super) struct Message {
    /// Number in the order of publishing; unique in the queue.
    pub(super) sequence: u64,
    /// Number of consumers that went away with the message unsettled.
    pub(super) redeliveries: u32,
    /// Reason, in the dead queue.
    pub(super) dead_letter_reason: Option<String>,
    /// The published bytes.
    pub(super) body: Bytes,
}

/// One queue. Lock order: the unsettled messages of a consumer first, then a backlog; the backlog of a dead queue is
/// never locked together with another backlog.
#[derive(Debug)]
pub(super) struct Backlog {
    capacity: usize,
    dead: Option<Arc<Backlog>>,
    /// Order of consumers, for a single active consumer.
    pub(super) consumer_order: Option<ConsumerOrder>,
    /// Number of consumers that have not stopped.
    pub(super) consumers: AtomicU32,
    state: Mutex<ReadyMessages>,
    /// Signals a ready message. A consumer that takes a message and leaves more signals again, so a single signal is
    /// enough for any number of messages.
    pub(super) arrived: Notify,
    /// Signals room for a message, in the same way.
    room: Notify,
}

#[derive(Debug, Default)]
struct ReadyMessages {
    ready: VecDeque<Message>,
    published: u64,
}

impl Backlog {
    pub(super) fn new(capacity: usize, dead: Option<Arc<Backlog>>) -> Self {
        Self {
            capacity,
            dead,
            consumer_order: None,
            consumers: AtomicU32::new(0),
            state: Mutex::default(),
            arrived: Notify::new(),
            room: Notify::new(),
        }
    }

    /// Restricts the queue to a single active consumer.
    pub(super) fn single_active_consumer(self) -> Self {
        Self {
            consumer_order: Some(ConsumerOrder::default()),
            ..self
        }
    }

    /// Adds a message at the tail, regardless of the capacity.
    pub(super) fn push_unbounded(&self, body: Bytes) {
        self.append(&mut self.lock(), body, None);
    }

    /// Adds a message at the tail, waiting for room. Cancel-safe: the message is added or not.
    pub(super) async fn push(&self, body: Bytes) {
        while !self.push_if_room(&body) {
            self.room.notified().await;
        }
    }

    fn push_if_room(&self, body: &Bytes) -> bool {
        let mut state = self.lock();
        if state.ready.len() >= self.capacity {
            return false;
        }
        self.append(&mut state, body.clone(), None);
        if state.ready.len() < self.capacity {
            self.room.notify_one();
        }
        true
    }

    fn append(&self, state: &mut ReadyMessages, body: Bytes, dead_letter_reason: Option<String>) {
        let sequence = state.published;
        state.published += 1;
        state.ready.push_back(Message {
            sequence,
            redeliveries: 0,
            dead_letter_reason,
            body,
        });
        self.arrived.notify_one();
    }

    /// Takes the first ready message.
    pub(super) fn pop(&self) -> Option<Message> {
        let mut state = self.lock();
        let message = state.ready.pop_front()?;
        if !state.ready.is_empty() {
            self.arrived.notify_one();
        }
        if state.ready.len() < self.capacity {
            self.room.notify_one();
        }
        Some(message)
    }

    /// Requeues a message at its place in the order of publishing.
    pub(super) fn requeue(&self, message: Message) {
        if message.redeliveries > DELIVERY_LIMIT {
            return self.dead_letter(message, "delivered too often without an answer");
        }
        let mut state = self.lock();
        let place = state
            .ready
            .partition_point(|other| other.sequence < message.sequence);
        state.ready.insert(place, message);
        self.arrived.notify_one();
    }

    /// Moves a message to the dead queue; a dead letter of the dead queue is discarded.
    pub(super) fn dead_letter(&self, message: Message, reason: &str) {
        if let Some(dead) = &self.dead {
            dead.append(&mut dead.lock(), message.body, Some(reason.to_owned()));
        }
    }

    /// Number of messages and consumers.
    pub(super) fn depth(&self) -> Depth {
        Depth {
            ready: self.lock().ready.len() as u64,
            consumers: self.consumers.load(Ordering::Relaxed),
        }
    }

    /// Forgets all ready messages; returns how many.
    pub(super) fn purge(&self) -> u64 {
        let forgotten = std::mem::take(&mut self.lock().ready);
        self.room.notify_one();
        forgotten.len() as u64
    }

    fn lock(&self) -> MutexGuard<'_, ReadyMessages> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
