//! A delivered message, and the ways to settle a delivery.

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::QueueError;

/// A delivered message. A delivery that is dropped unsettled stays unacked, and is redelivered after its consumer goes
/// away.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub body: Bytes,
    /// 0 means that no consumer can have begun with the message. More means that an earlier consumer went away; some
    /// brokers count requeues too, so the number is a hint and proves no crash.
    pub redeliveries: u32,
    /// Reason for a message in the dead queue, if known.
    pub dead_letter_reason: Option<String>,
    /// True if the broker gave up on a message that no process rejected: too many deliveries, too old, or too many
    /// messages, as policies of the broker may demand.
    pub given_up: bool,
    settle: Box<dyn Settle>,
}

/// The answer to a delivery; implemented by each broker. Every answer returns true once the broker has received it,
/// and false if the claim was lost: then the broker redelivers the message.
#[async_trait]
pub trait Settle: Send + Sync + std::fmt::Debug {
    /// The message is done with.
    async fn ack(self: Box<Self>) -> Result<bool, QueueError>;
    /// Requeues the message at the head of the queue, for the next consumer with room.
    async fn requeue(self: Box<Self>) -> Result<bool, QueueError>;
    /// Moves the message to the dead queue for the reason; rejecting a message of the dead queue removes the message.
    async fn reject(self: Box<Self>, reason: &str) -> Result<bool, QueueError>;
    /// True if the broker would still accept an answer, as far as the current process knows.
    fn is_live(&self) -> bool;
    /// Cancelled a moment after the claim was lost without an answer.
    fn lost(&self) -> &CancellationToken;
}

impl Delivery {
    /// A new delivery.
    pub fn new(body: Bytes, redeliveries: u32, settle: Box<dyn Settle>) -> Self {
        Self {
            body,
            redeliveries,
            dead_letter_reason: None,
            given_up: false,
            settle,
        }
    }

    /// Sets the reason of a message in the dead queue.
    #[must_use]
    pub fn with_dead_letter_reason(mut self, reason: Option<String>) -> Self {
        self.dead_letter_reason = reason;
        self
    }

    /// Sets whether the broker gave up on the message.
    #[must_use]
    pub fn with_given_up(mut self, given_up: bool) -> Self {
        self.given_up = given_up;
        self
    }

    /// See [`Settle::is_live`].
    pub fn is_live(&self) -> bool {
        self.settle.is_live()
    }

    /// See [`Settle::lost`].
    pub fn lost(&self) -> &CancellationToken {
        self.settle.lost()
    }

    /// See [`Settle::ack`].
    pub async fn ack(self) -> Result<bool, QueueError> {
        self.settle.ack().await
    }

    /// See [`Settle::requeue`].
    pub async fn requeue(self) -> Result<bool, QueueError> {
        self.settle.requeue().await
    }

    /// See [`Settle::reject`].
    pub async fn reject(self, reason: &str) -> Result<bool, QueueError> {
        self.settle.reject(reason).await
    }
}
