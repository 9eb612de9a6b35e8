//! What every message broker must be able to do.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use super::Delivery;
use crate::id::PipelineName;

/// A queue by what it is for.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Queue {
    /// Work: publisher → workers.
    Datums(PipelineName),
    /// News of work done: workers → coordinator. Of several consumers only one receives, the one that came first;
    /// when it goes, the next one does, beginning with what the first one had not settled.
    Reports(PipelineName),
    /// What could not be delivered or decoded: broker → coordinator.
    Dead(PipelineName),
}

/// Its name at the broker: `drover.<pipeline>.datums`.
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
    /// The broker cannot be reached; worth another try.
    #[error("the message broker is unavailable: {message}")]
    Unavailable {
        /// What happened, without credentials, and the way out.
        message: String,
    },
    /// The broker refuses: credentials, permissions, a queue of another shape. Trying again does not help.
    #[error("the message broker refuses: {message}")]
    Refused {
        /// What it refuses and why, without credentials, and the way out.
        message: String,
    },
    /// The queue does not exist.
    #[error(
        "there is no queue {queue}; whoever works on its pipeline, or coordinates it, declares it at the start"
    )]
    Missing {
        /// The queue.
        queue: Queue,
    },
    /// This end was closed.
    #[error("the queue is closed")]
    Closed,
}

/// How much lies in a queue, and who takes from it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Depth {
    /// Messages that wait; those in consumers' hands are not among them.
    pub ready: u64,
    /// Consumers, of all processes.
    pub consumers: u32,
}

/// How the connection of this process to its broker is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Link {
    /// It is there, and every consumer of this process receives.
    Up,
    /// It is being made again; what is published waits.
    Down {
        /// Why, without credentials.
        why: String,
    },
    /// The broker takes no messages for now (memory or disk alarm); what is published waits, consumers go on.
    Blocked {
        /// What the broker says.
        why: String,
    },
}

/// A message broker.
///
/// Operations wait while a broker that was reached once is out of reach, and go on by themselves when it is
/// back; [`Broker::link`] tells.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Declares the queues of a pipeline; may be repeated.
    async fn declare(&self, pipeline: &PipelineName) -> Result<(), QueueError>;

    /// Publishes one message; returns once the broker has it safe. Waits while the queue is full.
    ///
    /// Messages published one after the other are delivered in that order; of calls that overlap, in any.
    async fn publish(&self, queue: &Queue, body: Bytes) -> Result<(), QueueError>;

    /// Starts to consume with manual acks; at most `prefetch` (at least 1) deliveries are unsettled at a time.
    async fn consume(&self, queue: &Queue, prefetch: u16) -> Result<Box<dyn Consumer>, QueueError>;

    /// Removes all messages that are ready (not those delivered and unsettled). Returns how many.
    async fn purge(&self, queue: &Queue) -> Result<u64, QueueError>;

    /// How much lies in a queue.
    async fn depth(&self, queue: &Queue) -> Result<Depth, QueueError>;

    /// Sends a message to all who [listen](Broker::listen) now; it is no error if nobody does.
    async fn broadcast(&self, body: Bytes) -> Result<(), QueueError>;

    /// Receives what is broadcast from now on. What is broadcast while the connection is down is lost, so a
    /// broadcast is a hint, never the truth. `name` is unique to this listener.
    async fn listen(&self, name: &str) -> Result<Box<dyn Consumer>, QueueError>;

    /// How the connection to the broker is.
    fn link(&self) -> Link;
}

/// One consumer; it outlives its connection. Dropping it gives back what it holds; those deliveries count as begun.
#[async_trait]
pub trait Consumer: Send {
    /// The next delivery, as soon as there is one and fewer than `prefetch` are unsettled. Cancel-safe.
    /// `Err(Closed)` after [`Consumer::stop`], and once the broker is gone for good.
    async fn next(&mut self) -> Result<Delivery, QueueError>;

    /// Takes no more. What `next` has returned stays held until settled; what was only sent ahead goes back.
    async fn stop(&mut self) -> Result<(), QueueError>;
}
