//! The interface of a message broker.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use super::Delivery;
use crate::id::PipelineName;

/// A queue of a pipeline, by purpose.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Queue {
    /// Work: publisher → workers.
    Datums(PipelineName),
    /// Reports of finished work: workers → coordinator. Single active consumer: the first consumer receives; when the
    /// consumer goes away, the next one takes over, beginning with the unsettled messages.
    Reports(PipelineName),
    /// Dead letters, undeliverable or malformed: broker → coordinator.
    Dead(PipelineName),
}

/// The queue's name at the broker: `drover.<pipeline>.datums`.
impl fmt::Display for Queue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pipeline, purpose) = match self {
            Self::Datums(pipeline) => (pipeline, "datums"),
            Self::Reports(pipeline) => (pipeline, "reports"),
            Self::Dead(pipeline) => (pipeline, "dead"),
        };
        write!(out, "drover.{}.{purpose}", pipeline.as_str())
    }
}

/// Why a queue operation did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The broker cannot be reached; a retry may succeed.
    #[error("the message broker is unavailable: {message}")]
    Unavailable {
        /// Cause and advice, without credentials.
        message: String,
    },
    /// The broker refuses: credentials, permissions, a queue declared differently. A retry does not help.
    #[error("the message broker refuses: {message}")]
    Refused {
        /// Cause and advice, without credentials.
        message: String,
    },
    /// The queue does not exist.
    #[error(
        "the queue {queue} does not exist; the workers and the coordinator of the pipeline declare it when they start"
    )]
    Missing {
        /// The queue.
        queue: Queue,
    },
    /// The consumer or connection was closed by the current process.
    #[error("the queue is closed")]
    Closed,
}

/// Number of messages and consumers of a queue.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Depth {
    /// Ready messages; unsettled deliveries do not count.
    pub ready: u64,
    /// Consumers, of all processes.
    pub consumers: u32,
}

/// State of the connection between the current process and the broker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Link {
    /// Connected, and every consumer of the current process receives.
    Up,
    /// Reconnecting; publishing waits.
    Down {
        /// Why, without credentials.
        why: String,
    },
    /// The broker accepts no messages for now (memory or disk alarm): publishing waits, consumers continue.
    Blocked {
        /// The broker's reason.
        why: String,
    },
}

/// A message broker.
///
/// Once the broker was reached, operations wait while the connection is lost and continue after the reconnection;
/// [`Broker::link`] reports the state of the connection.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Declares the queues of a pipeline; may be repeated.
    async fn declare(&self, pipeline: &PipelineName) -> Result<(), QueueError>;

    /// Publishes a message; returns once the broker has confirmed it. Waits while the queue is full.
    ///
    /// Messages published in sequence are delivered in sequence; overlapping calls are delivered in any order.
    async fn publish(&self, queue: &Queue, body: Bytes) -> Result<(), QueueError>;

    /// Starts to consume with manual acks; at most `prefetch` (at least 1) deliveries are unsettled at a time.
    async fn consume(&self, queue: &Queue, prefetch: u16) -> Result<Box<dyn Consumer>, QueueError>;

    /// Removes all ready messages (unsettled deliveries stay). Returns their number.
    async fn purge(&self, queue: &Queue) -> Result<u64, QueueError>;

    /// Deletes the queues of a pipeline with all messages. Consumers find the queues missing. By default nothing is deleted:
    /// queues in memory end with their process.
    async fn delete_queues(&self, _pipeline: &PipelineName) -> Result<(), QueueError> {
        Ok(())
    }

    /// How much lies in a queue.
    async fn depth(&self, queue: &Queue) -> Result<Depth, QueueError>;

    /// Sends a message to all current [listeners](Broker::listen); no listener is no error.
    async fn broadcast(&self, body: Bytes) -> Result<(), QueueError>;

    /// Receives broadcasts from now on. Broadcasts during a lost connection are lost too, so a broadcast is a hint,
    /// never the truth. `name` is unique to the listener.
    async fn listen(&self, name: &str) -> Result<Box<dyn Consumer>, QueueError>;

    /// True while a [listener](Broker::listen) of the name exists. False during the reconnection of a listener, too.
    async fn is_listening(&self, name: &str) -> Result<bool, QueueError>;

    /// Has the broker report an alarm, after which [`Broker::link`] is `Blocked`: a broker tells only publishers of it.
    async fn probe_alarm(&self) {}

    /// How the connection to the broker is.
    fn link(&self) -> Link;
}

/// A consumer, which survives the loss of its connection. Dropping a consumer requeues the unsettled deliveries, and
/// the requeue counts as a redelivery.
#[async_trait]
pub trait Consumer: Send {
    /// The next delivery, once the queue has a message and fewer than `prefetch` deliveries are unsettled.
    /// Cancel-safe. `Err(Closed)` after [`Consumer::stop`], and once the broker is closed.
    async fn next(&mut self) -> Result<Delivery, QueueError>;

    /// Stops the consumer. Deliveries returned by `next` can still be settled; prefetched messages are requeued.
    async fn stop(&mut self) -> Result<(), QueueError>;
}
