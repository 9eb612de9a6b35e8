//! The channel from the feed to the event streams.

use std::sync::Arc;

use tokio::sync::broadcast::{Receiver, Sender};

/// Events that a slow client may lag behind before events are dropped.
const CHANNEL_CAPACITY: usize = 256;

/// An update for all event streams.
#[derive(Clone, Debug)]
pub(crate) enum Update {
    /// The state of the broker changed: every client gets a new `hello` event.
    Session,
    /// A job or pipeline changed: kind of the event, and its data.
    Resource(&'static str, Arc<str>),
}

/// The channel of updates.
#[derive(Debug)]
pub(crate) struct Updates(Sender<Update>);

impl Default for Updates {
    fn default() -> Self {
        Self(Sender::new(CHANNEL_CAPACITY))
    }
}

impl Updates {
    /// Subscribes to updates from now on.
    pub(crate) fn subscribe(&self) -> Receiver<Update> {
        self.0.subscribe()
    }

    pub(crate) fn has_subscribers(&self) -> bool {
        self.0.receiver_count() > 0
    }

    pub(crate) fn send(&self, update: Update) {
        // Sending fails when there are no subscribers, which is fine.
        let _ = self.0.send(update);
    }
}
