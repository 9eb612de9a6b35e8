//! Whether every consumer of this process receives.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lapin::ChannelStatus;

/// The consumers of one broker in this process, by number.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    given: AtomicU64,
    each: Mutex<BTreeMap<u64, Health>>,
}

/// How a consumer is.
enum Health {
    /// It receives for as long as this channel is open.
    Well { of: String, channel: ChannelStatus },
    /// It is being taken up again.
    Ailing { why: String },
}

impl Consumers {
    /// A new consumer's pulse.
    pub(super) fn join(self: &Arc<Self>) -> Pulse {
        Pulse {
            consumers: Arc::clone(self),
            number: self.given.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Why one of them does not receive, if one does not.
    pub(super) fn ailing(&self) -> Option<String> {
        self.lock().values().find_map(|health| match health {
            Health::Ailing { why } => Some(why.clone()),
            Health::Well { channel, .. } if channel.connected() => None,
            Health::Well { of, .. } => Some(format!("the broker closed the channel of {of}")),
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Health>> {
        self.each.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells how one consumer is; when it is dropped, nobody expects the consumer to receive any more.
#[derive(Debug)]
pub(super) struct Pulse {
    consumers: Arc<Consumers>,
    number: u64,
}

impl Pulse {
    pub(super) fn well(&self, of: String, channel: ChannelStatus) {
        let health = Health::Well { of, channel };
        self.consumers.lock().insert(self.number, health);
    }

    pub(super) fn ailing(&self, why: String) {
        let health = Health::Ailing { why };
        self.consumers.lock().insert(self.number, health);
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.consumers.lock().remove(&self.number);
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Well { of, .. } => write!(out, "{of} receives"),
            Self::Ailing { why } => write!(out, "ailing: {why}"),
        }
    }
}
