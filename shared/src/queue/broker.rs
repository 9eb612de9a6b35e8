//! What every message broker must be able to do.

use async_trait::async_trait;
use bytes::Bytes;

use super::Delivery;
use crate::id::PipelineName;

/// A queue by what it is for.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Queue {
    /// Work: publisher → workers.
    Datums(PipelineName),
    /// News of work done: workers → coordinator.
    Reports(PipelineName),
    /// What could not be delivered or decoded: broker → coordinator.
    Dead(PipelineName),
}

/// Why a queue operation did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The broker cannot be reached, or refuses.
    #[error("the message broker is unavailable: {message}")]
    Unavailable {
        /// What happened, without credentials, and the way out.
        message: String,
    },
    /// The queue does not exist.
    #[error("no queue {queue:?}; it must be declared first")]
    Missing {
        /// The queue.
        queue: Queue,
    },
    /// This end was closed.
    #[error("the queue is closed")]
    Closed,
}

/// A message broker.
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
}

/// One consumer. Dropping it gives back what it holds; those deliveries count as begun.
#[async_trait]
pub trait Consumer: Send {
    /// The next delivery, as soon as there is one and fewer than `prefetch` are unsettled. Cancel-safe.
    /// `Err(Closed)` after [`Consumer::stop`], and once the broker is gone for good.
    async fn next(&mut self) -> Result<Delivery, QueueError>;

    /// Takes no more. What `next` has returned stays held until settled; what was only sent ahead goes back.
    async fn stop(&mut self) -> Result<(), QueueError>;
}
