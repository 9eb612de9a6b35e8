//! The right to answer a delivery, lost with the delivery's channel.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lapin::message::Delivery as Message;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Acker, ChannelStatus};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::queue::rabbitmq::liveness::while_connected;
use crate::queue::rabbitmq::publisher::{COPY, MessagePublisher, REASON};
use crate::queue::{Delivery, Queue, QueueError, Settle};

/// Header with the broker's reason for a dead letter.
const DEATH: &str = "x-first-death-reason";

/// Interval between two looks at a channel.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// State shared by all claims of a channel.
#[derive(Debug)]
pub(in crate::queue::rabbitmq) struct ClaimChannel {
    /// Publishes rejected messages, on the publishing connection: during an alarm the broker reads nothing from a
    /// connection that has published, acks included.
    pub(in crate::queue::rabbitmq) publisher: Arc<MessagePublisher>,
    /// Destination of rejected messages.
    pub(in crate::queue::rabbitmq) dead: Option<Queue>,
    /// Cancelled when the channel is closed, or the consumer let go of the channel.
    lost: CancellationToken,
}

impl ClaimChannel {
    pub(in crate::queue::rabbitmq) fn new(
        publisher: Arc<MessagePublisher>,
        dead: Option<Queue>,
    ) -> Self {
        Self {
            publisher,
            dead,
            lost: CancellationToken::new(),
        }
    }

    /// Looks after the channel of the claims until [`end`](Self::end): lapin does not tell of its closing.
    #[expect(
        clippy::disallowed_methods,
        reason = "the task ends with the channel, or by the end of its claims"
    )]
    pub(in crate::queue::rabbitmq) fn watch(&self, channel: ChannelStatus) {
        let lost = self.lost.clone();
        tokio::spawn(async move {
            while !lost.is_cancelled() && channel.connected() {
                lost.run_until_cancelled(sleep(LOOK_EVERY)).await;
            }
            lost.cancel();
        });
    }

    pub(in crate::queue::rabbitmq) fn end(&self) {
        self.lost.cancel();
    }
}

#[derive(Debug)]
struct RabbitClaim {
    acker: Acker,
    body: Bytes,
    claim_channel: Arc<ClaimChannel>,
}

/// Wraps a message as a delivery, to be settled on the channel of the message.
pub(in crate::queue::rabbitmq) fn delivery(
    message: Message,
    claim_channel: &Arc<ClaimChannel>,
) -> Delivery {
    let headers = message.properties.headers().as_ref();
    let redeliveries = redeliveries(headers, message.redelivered);
    let dead_letter_reason = headers.and_then(dead_letter_reason);
    let given_up = headers.is_some_and(given_up);
    let body = Bytes::from(message.data);
    let claim = RabbitClaim {
        acker: message.acker,
        body: body.clone(),
        claim_channel: Arc::clone(claim_channel),
    };
    Delivery::new(body, redeliveries, Box::new(claim))
        .with_dead_letter_reason(dead_letter_reason)
        .with_given_up(given_up)
}

/// Wraps a broadcast as a delivery, which needs no answer.
pub(in crate::queue::rabbitmq) fn broadcast_delivery(message: Message) -> Delivery {
    Delivery::new(
        Bytes::from(message.data),
        0,
        Box::<BroadcastClaim>::default(),
    )
}

/// Quorum queues count deliveries; for other queues, and after a lost count, only the flag tells. The first delivery of a
/// message that was published twice may be the second one of its content.
fn redeliveries(headers: Option<&FieldTable>, redelivered: bool) -> u32 {
    let counted = headers
        .and_then(|headers| headers.inner().get("x-delivery-count"))
        .and_then(whole)
        .unwrap_or(0);
    let is_copy = headers.is_some_and(|headers| headers.contains_key(COPY));
    counted.max(u32::from(redelivered || is_copy))
}

fn whole(value: &AMQPValue) -> Option<u32> {
    match *value {
        AMQPValue::LongLongInt(number) => number.try_into().ok(),
        AMQPValue::LongInt(number) => number.try_into().ok(),
        AMQPValue::LongUInt(number) => Some(number),
        AMQPValue::ShortInt(number) => number.try_into().ok(),
        AMQPValue::ShortUInt(number) => Some(number.into()),
        AMQPValue::ShortShortInt(number) => number.try_into().ok(),
        AMQPValue::ShortShortUInt(number) => Some(number.into()),
        _ => None,
    }
}

/// Our own reason, else the broker's.
fn dead_letter_reason(headers: &FieldTable) -> Option<String> {
    header(headers, REASON).or_else(|| {
        let reason = header(headers, DEATH)?;
        Some(match reason.as_str() {
            "delivery_limit" => "delivered too often without an answer".to_owned(),
            "rejected" => "rejected without a reason".to_owned(),
            "expired" => "waited longer than the queue allows".to_owned(),
            "maxlen" => "the queue was full".to_owned(),
            other => format!("the broker says {other:?}"),
        })
    })
}

/// True if the broker dead-lettered the message without an answer of a process.
fn given_up(headers: &FieldTable) -> bool {
    let reason = header(headers, DEATH);
    let by_broker = reason.is_some_and(|reason| reason != "rejected");
    by_broker && header(headers, REASON).is_none()
}

fn header(headers: &FieldTable, name: &str) -> Option<String> {
    match headers.inner().get(name) {
        Some(AMQPValue::LongString(text)) => Some(text.to_string()),
        _ => None,
    }
}

#[async_trait]
impl Settle for RabbitClaim {
    async fn ack(self: Box<Self>) -> Result<bool, QueueError> {
        if !self.is_live() {
            return Ok(false);
        }
        Ok(answer_sent(self.acker.ack(BasicAckOptions::default()), &self.acker).await)
    }

    async fn requeue(self: Box<Self>) -> Result<bool, QueueError> {
        if !self.is_live() {
            return Ok(false);
        }
        Ok(requeue(&self.acker).await)
    }

    async fn reject(self: Box<Self>, reason: &str) -> Result<bool, QueueError> {
        if !self.is_live() {
            return Ok(false);
        }
        // The broker's own dead-lettering cannot carry a reason. If the ack is lost after this publish, the message is
        // rejected a second time: twice in the dead queue is better than never.
        if let Some(dead) = self.claim_channel.dead.clone() {
            self.claim_channel
                .publisher
                .dead_letter(dead, &self.body, reason)
                .await?;
        }
        self.ack().await
    }

    fn is_live(&self) -> bool {
        !self.lost().is_cancelled() && self.acker.usable()
    }

    fn lost(&self) -> &CancellationToken {
        &self.claim_channel.lost
    }
}

/// Requeues a message; false if the channel is gone.
pub(in crate::queue::rabbitmq) async fn requeue(acker: &Acker) -> bool {
    let options = BasicNackOptions {
        requeue: true,
        ..BasicNackOptions::default()
    };
    answer_sent(acker.nack(options), acker).await
}

/// True if the answer was sent before the channel closed.
async fn answer_sent(answer: impl Future<Output = lapin::Result<bool>>, acker: &Acker) -> bool {
    while_connected(|| acker.usable(), answer).await == Some(Ok(true))
}

/// A broadcast is settled on arrival, so its claim is never lost.
#[derive(Debug, Default)]
struct BroadcastClaim(CancellationToken);

#[async_trait]
impl Settle for BroadcastClaim {
    async fn ack(self: Box<Self>) -> Result<bool, QueueError> {
        Ok(true)
    }

    async fn requeue(self: Box<Self>) -> Result<bool, QueueError> {
        Ok(true)
    }

    async fn reject(self: Box<Self>, _reason: &str) -> Result<bool, QueueError> {
        Ok(true)
    }

    fn is_live(&self) -> bool {
        true
    }

    fn lost(&self) -> &CancellationToken {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(entries: &[(&str, AMQPValue)]) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert((*name).into(), value.clone());
        }
        table
    }

    #[test]
    fn the_brokers_count_says_more_than_its_flag() {
        let counted = headers(&[("x-delivery-count", AMQPValue::LongLongInt(3))]);
        assert_eq!(redeliveries(Some(&counted), true), 3);
        assert_eq!(redeliveries(None, true), 1);
        assert_eq!(redeliveries(Some(&headers(&[])), false), 0);
        let copy = headers(&[(COPY, AMQPValue::Boolean(true))]);
        assert_eq!(redeliveries(Some(&copy), false), 1);
    }

    #[test]
    fn our_reason_comes_before_the_brokers() {
        let text = |text: &str| AMQPValue::LongString(text.into());
        let broker = ("x-first-death-reason", text("delivery_limit"));
        let ours = (REASON, text("it is odd"));
        let both = headers(&[broker.clone(), ours]);
        assert!(!given_up(&both));
        assert_eq!(dead_letter_reason(&both).as_deref(), Some("it is odd"));
        let reason = dead_letter_reason(&headers(&[broker]));
        assert_eq!(
            reason.as_deref(),
            Some("delivered too often without an answer")
        );
        assert_eq!(dead_letter_reason(&headers(&[])), None);
        for (reason, expected) in [
            ("delivery_limit", true),
            ("expired", true),
            ("rejected", false),
        ] {
            let headers = headers(&[(DEATH, text(reason))]);
            assert_eq!(given_up(&headers), expected, "{reason}");
        }
    }
}
