//! The ready messages of one queue, always in the order of publishing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::DELIVERY_LIMIT;

/// A message on its way.
#[derive(Debug)]
pub(super) struct Message {
    /// Its place in the order of publishing; unique in its queue.
    pub(super) sequence: u64,
    /// Consumers that went away while they held it.
    pub(super) redeliveries: u32,
    /// What was published.
    pub(super) body: Bytes,
}

/// One queue. Lock order: a consumer's held messages first, then a backlog; a dead queue's backlog never together
/// with another.
#[derive(Debug)]
pub(super) struct Backlog {
    capacity: usize,
    dead: Option<Arc<Backlog>>,
    state: Mutex<State>,
    /// Something is ready. Whoever takes a message and leaves more passes the signal on, so one signal is enough
    /// however many messages came.
    pub(super) arrived: Notify,
    /// There is room to publish; passed on in the same way.
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Message>,
    published: u64,
}

impl Backlog {
    pub(super) fn new(capacity: usize, dead: Option<Arc<Backlog>>) -> Self {
        Self {
            capacity,
            dead,
            state: Mutex::default(),
            arrived: Notify::new(),
            room: Notify::new(),
        }
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
        self.append(&mut state, body.clone());
        if state.ready.len() < self.capacity {
            self.room.notify_one();
        }
        true
    }

    fn append(&self, state: &mut State, body: Bytes) {
        let sequence = state.published;
        state.published += 1;
        state.ready.push_back(Message {
            sequence,
            redeliveries: 0,
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
    pub(super) fn put_back(&self, message: Message) {
        if message.redeliveries > DELIVERY_LIMIT {
            return self.bury(message);
        }
        let mut state = self.lock();
        let place = state
            .ready
            .partition_point(|other| other.sequence < message.sequence);
        state.ready.insert(place, message);
        self.arrived.notify_one();
    }

    /// Moves a message to the dead queue; what dies there is gone.
    pub(super) fn bury(&self, message: Message) {
        if let Some(dead) = &self.dead {
            dead.append(&mut dead.lock(), message.body);
        }
    }

    /// Forgets all ready messages; returns how many.
    pub(super) fn purge(&self) -> u64 {
        let forgotten = std::mem::take(&mut self.lock().ready);
        self.room.notify_one();
        forgotten.len() as u64
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
