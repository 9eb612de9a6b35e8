//! A message in a consumer's hands, and the three ways to answer it.

use async_trait::async_trait;
use bytes::Bytes;

use super::QueueError;

/// A message in a consumer's hands. Dropping it unsettled leaves it unacknowledged: it comes back when the
/// consumer goes.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub body: Bytes,
    /// 0 means that nobody can have begun with this message before. More means that a consumer that held it went
    /// away; some brokers count hand-backs too, so this is a reason to look closer, not a charge.
    pub redeliveries: u32,
    /// In the dead queue: why it is there, as far as that is known.
    pub dead_letter_reason: Option<String>,
    settle: Box<dyn Settle>,
}

/// How a delivery is answered; one implementation a broker. Each answer is true once the broker has it, false if
/// the claim was lost meanwhile: then the message comes back elsewhere.
#[async_trait]
pub trait Settle: Send + Sync + std::fmt::Debug {
    /// The message is done with.
    async fn ack(self: Box<Self>) -> Result<bool, QueueError>;
    /// The message goes back to its place at the head of the queue, for the next consumer that has room.
    async fn requeue(self: Box<Self>) -> Result<bool, QueueError>;
    /// The message goes to the dead queue for this reason; from the dead queue itself it goes nowhere.
    async fn reject(self: Box<Self>, reason: &str) -> Result<bool, QueueError>;
    /// Whether an answer would still be taken, as far as this process knows.
    fn is_live(&self) -> bool;
}

impl Delivery {
    /// A delivery as a broker makes it.
    pub fn new(body: Bytes, redeliveries: u32, settle: Box<dyn Settle>) -> Self {
        Self {
            body,
            redeliveries,
            dead_letter_reason: None,
            settle,
        }
    }

    /// The same delivery, from the dead queue, where it is for this reason.
    #[must_use]
    pub fn with_dead_letter_reason(mut self, reason: Option<String>) -> Self {
        self.dead_letter_reason = reason;
        self
    }

    /// See [`Settle::is_live`].
    pub fn is_live(&self) -> bool {
        self.settle.is_live()
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
