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
    settle: Box<dyn Settle>,
}

/// How a delivery is answered; one implementation a broker. Each answer is true once the broker has it, false if
/// the claim was lost meanwhile: then the message comes back elsewhere.
#[async_trait]
pub trait Settle: Send + Sync + std::fmt::Debug {
    /// The message is done with.
    async fn ack(self: Box<Self>) -> Result<bool, QueueError>;
    /// The message goes back to its place at the head of the queue, for the next consumer that has room.
    async fn hand_back(self: Box<Self>) -> Result<bool, QueueError>;
    /// The message goes to the dead queue; from the dead queue itself it goes nowhere.
    async fn reject(self: Box<Self>) -> Result<bool, QueueError>;
}

impl Delivery {
    /// A delivery as a broker makes it.
    pub fn new(body: Bytes, redeliveries: u32, settle: Box<dyn Settle>) -> Self {
        Self {
            body,
            redeliveries,
            settle,
        }
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
