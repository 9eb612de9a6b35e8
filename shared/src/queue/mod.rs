//! The queue between publisher, workers and coordinator: one trait, two implementations, one behaviour suite.
//!
//! [`embedded`] lives in this process, for `drover run`; RabbitMQ's implementation passes the same [`suite`].

mod embedded;

pub use embedded::Embedded;

use async_trait::async_trait;
use bytes::Bytes;

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
    async fn publish(&self, queue: &Queue, body: Bytes) -> Result<(), QueueError>;

    /// Starts to consume with manual acks; at most `prefetch` deliveries are unsettled at a time.
    async fn consume(&self, queue: &Queue, prefetch: u16) -> Result<Box<dyn Consumer>, QueueError>;

    /// Removes all messages that are ready (not those delivered and unsettled). Returns how many.
    async fn purge(&self, queue: &Queue) -> Result<u64, QueueError>;
}

/// One consumer. Dropping it gives back what it holds; those deliveries count.
#[async_trait]
pub trait Consumer: Send {
    /// The next delivery. Cancel-safe. `Err(Closed)` once the broker is gone for good.
    async fn next(&mut self) -> Result<Delivery, QueueError>;

    /// Takes no more; what is held stays held until settled.
    async fn stop(&mut self) -> Result<(), QueueError>;
}

/// A message in a consumer's hands. Dropping it unsettled leaves it unacknowledged: it comes back when the consumer goes.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub body: Bytes,
    /// How many deliveries came before this one that were neither acked nor handed back; 0 for the first.
    pub redeliveries: u32,
    settle: Box<dyn Settle>,
}

/// How a delivery is answered; one implementation a broker.
#[async_trait]
pub trait Settle: Send + Sync + std::fmt::Debug {
    /// The message is done with. False if the claim was lost meanwhile: the message comes back elsewhere.
    async fn ack(self: Box<Self>) -> Result<bool, QueueError>;
    /// The message goes back to the head of the queue, as if never delivered.
    async fn hand_back(self: Box<Self>) -> Result<bool, QueueError>;
    /// The message goes to the dead queue.
    async fn reject(self: Box<Self>) -> Result<bool, QueueError>;
}

impl Delivery {
    /// A delivery as a broker makes it.
    pub fn new(body: Bytes, redeliveries: u32, settle: Box<dyn Settle>) -> Self {
        Self { body, redeliveries, settle }
    }

    /// See [`Settle::ack`].
    pub async fn ack(self) -> Result<bool, QueueError> {
        self.settle.ack().await
    }

    /// See [`Settle::hand_back`].
    pub async fn hand_back(self) -> Result<bool, QueueError> {
        self.settle.hand_back().await
    }

    /// See [`Settle::reject`].
    pub async fn reject(self) -> Result<bool, QueueError> {
        self.settle.reject().await
    }
}
