//! Health of the consumers of the current process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lapin::ChannelStatus;

/// Health of every consumer of one broker in the current process, by number.
#[derive(Debug, Default)]
pub(in crate::queue::rabbitmq) struct ConsumerHealthRegistry {
    given: AtomicU64,
    each: Mutex<BTreeMap<u64, ConsumerHealth>>,
}

/// How a consumer is.
enum ConsumerHealth {
    /// Receiving while the channel is open.
    Receiving { of: String, channel: ChannelStatus },
    /// Subscribing again.
    Interrupted { why: String },
}

impl ConsumerHealthRegistry {
    /// A new consumer's health.
    pub(in crate::queue::rabbitmq) fn join(self: &Arc<Self>) -> HealthReporter {
        HealthReporter {
            consumers: Arc::clone(self),
            number: self.given.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Reason why a consumer does not receive, if any consumer is interrupted.
    pub(in crate::queue::rabbitmq) fn interruption(&self) -> Option<String> {
        self.lock().values().find_map(|health| match health {
            ConsumerHealth::Interrupted { why } => Some(why.clone()),
            ConsumerHealth::Receiving { channel, .. } if channel.connected() => None,
            ConsumerHealth::Receiving { of, .. } => {
                Some(format!("the broker closed the channel of {of}"))
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, ConsumerHealth>> {
        self.each.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports the health of one consumer; dropping the reporter removes the consumer.
#[derive(Debug)]
pub(in crate::queue::rabbitmq) struct HealthReporter {
    consumers: Arc<ConsumerHealthRegistry>,
    number: u64,
}

impl HealthReporter {
    pub(in crate::queue::rabbitmq) fn receiving(&self, of: String, channel: ChannelStatus) {
        let health = ConsumerHealth::Receiving { of, channel };
        self.consumers.lock().insert(self.number, health);
    }

    pub(in crate::queue::rabbitmq) fn interrupted(&self, why: String) {
        let health = ConsumerHealth::Interrupted { why };
        self.consumers.lock().insert(self.number, health);
    }
}

impl Drop for HealthReporter {
    fn drop(&mut self) {
        self.consumers.lock().remove(&self.number);
    }
}

impl std::fmt::Debug for ConsumerHealth {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Receiving { of, .. } => write!(out, "{of} receives"),
            Self::Interrupted { why } => write!(out, "ailing: {why}"),
        }
    }
}
