//! The ready messages of one queue, always in the order of publishing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::broker::DELIVERY_LIMIT;
use super::consumer_order::ConsumerOrder;
use crate::queue::Depth;

/// A message on its way.
#[derive(Debug)]
pub(super) struct Message {
    /// Its place in the order of publishing; unique in its queue.
    pub(super) sequence: u64,
    /// Consumers that went away while they unsettled it.
    pub(super) redeliveries: u32,
    /// Why it lies in the dead queue.
    pub(super) dead_letter_reason: Option<String>,
    /// What was published.
    pub(super) body: Bytes,
}

/// One queue. Lock order: a consumer's unsettled messages first, then a backlog; a dead queue's backlog never together
/// with another.
#[derive(Debug)]
pub(super) struct Backlog {
    capacity: usize,
    dead: Option<Arc<Backlog>>,
    /// Whose turn it is, where only one consumer at a time receives.
    pub(super) consumer_order: Option<ConsumerOrder>,
    /// Consumers that have not stopped.
    pub(super) consumers: AtomicU32,
    state: Mutex<ReadyMessages>,
    /// Something is ready. Whoever takes a message and leaves more passes the signal on, so one signal is enough
    /// however many messages came.
    pub(super) arrived: Notify,
    /// There is room to publish; passed on in the same way.
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

    /// The same queue, for one consumer at a time.
    pub(super) fn single_active_consumer(self) -> Self {
        Self {
            consumer_order: Some(ConsumerOrder::default()),
            ..self
        }
    }

    /// Adds a message at the tail, whether there is room or not.
    pub(super) fn push_unbounded(&self, body: Bytes) {
        self.append(&mut self.lock(), body, None);
    }

    /// Adds a message at the tail, waiting for room. Cancel-safe: added or not, nothing between.
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

    /// Takes the first ready message, if there is one.
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

    /// Puts a message back in its place, before all that were published after it.
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

    /// Moves a message to the dead queue; what dies there is gone.
    pub(super) fn dead_letter(&self, message: Message, reason: &str) {
        if let Some(dead) = &self.dead {
            dead.append(&mut dead.lock(), message.body, Some(reason.to_owned()));
        }
    }

    /// How much lies in it, and who takes from it.
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
