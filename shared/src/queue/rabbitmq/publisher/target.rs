//! Destinations of messages.

use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;

use crate::queue::rabbitmq::topology::CONTROL;
use crate::queue::{Queue, QueueError};

/// The name of a queue that does not exist.
const ALARM_PROBE: &str = "drover.alarm-probe";

/// Destination of a message.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(in crate::queue::rabbitmq) enum PublishTarget {
    Queue(Queue),
    /// All current listeners; no listener is fine too.
    Broadcast,
    /// No queue at all.
    AlarmProbe,
}

impl PublishTarget {
    /// Exchange and routing key.
    pub(super) fn route(&self) -> (ShortString, ShortString) {
        match self {
            Self::Queue(queue) => (ShortString::default(), queue.to_string().into()),
            Self::Broadcast => (CONTROL.into(), ShortString::default()),
            Self::AlarmProbe => (ShortString::default(), ALARM_PROBE.into()),
        }
    }

    /// A message to a queue must arrive there.
    pub(super) fn options(&self) -> BasicPublishOptions {
        BasicPublishOptions {
            mandatory: matches!(self, Self::Queue(_)),
            ..BasicPublishOptions::default()
        }
    }

    /// The error for a message that the broker could not route.
    pub(super) fn missing(&self) -> QueueError {
        match self {
            Self::Queue(queue) => QueueError::Missing {
                queue: queue.clone(),
            },
            Self::Broadcast | Self::AlarmProbe => {
                unreachable!("the broker returns mandatory messages only")
            }
        }
    }
}
