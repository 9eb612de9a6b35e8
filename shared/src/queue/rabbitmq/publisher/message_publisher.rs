//! Publishes messages, each until the broker has it safe.

use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation};
use tracing::{debug, warn};

use super::pool::{InFlightMessage, PublishPool};
use super::target::PublishTarget;
use crate::queue::rabbitmq::error::BrokerFailure;
use crate::queue::rabbitmq::liveness::while_connected;
use crate::queue::rabbitmq::retry::RetryDelays;
use crate::queue::{Link, Queue, QueueError};

/// Header with the reason of a dead letter.
pub(in crate::queue::rabbitmq) const REASON: &str = "x-drover-reason";

/// Header of a message that was published before without a confirmation: the broker may have delivered it already.
pub(in crate::queue::rabbitmq) const COPY: &str = "x-drover-copy";

const PERSISTENT: u8 = 2;

/// Publishes with any number of messages in flight.
#[derive(Debug)]
pub(in crate::queue::rabbitmq) struct MessagePublisher {
    pool: PublishPool,
}

/// Outcome of one attempt to publish.
enum PublishOutcome {
    Confirmed,
    Unroutable,
    /// The broker could not store the message just now.
    Nacked,
    /// The channel closed; the fate of the message is unknown.
    ChannelLost(BrokerFailure),
}

impl MessagePublisher {
    pub(in crate::queue::rabbitmq) fn new(pool: PublishPool) -> Self {
        Self { pool }
    }

    /// State of the publishing connections.
    pub(in crate::queue::rabbitmq) fn link(&self) -> Link {
        self.pool.link()
    }

    /// Publishes a message; see [`crate::queue::Broker::publish`]. The message may arrive twice if the connection is
    /// lost.
    pub(in crate::queue::rabbitmq) async fn publish(
        &self,
        target: &PublishTarget,
        body: &[u8],
    ) -> Result<(), QueueError> {
        self.send(target, body, BasicProperties::default()).await
    }

    /// Puts a message into a dead queue, with the reason.
    pub(in crate::queue::rabbitmq) async fn dead_letter(
        &self,
        dead: Queue,
        body: &[u8],
        reason: &str,
    ) -> Result<(), QueueError> {
        let mut headers = FieldTable::default();
        headers.insert(REASON.into(), AMQPValue::LongString(reason.into()));
        let properties = BasicProperties::default().with_headers(headers);
        self.send(&PublishTarget::Queue(dead), body, properties)
            .await
    }

    async fn send(
        &self,
        target: &PublishTarget,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), QueueError> {
        let mut properties = properties.with_delivery_mode(PERSISTENT);
        let message = self.pool.begin(target);
        let mut delays = RetryDelays::new();
        loop {
            let connection = message.connection().await;
            let channel = connection.channels.of(target);
            let opened = connection.opened(&channel, target);
            match attempt(opened, target, body, properties.clone()).await {
                PublishOutcome::Confirmed => return Ok(()),
                PublishOutcome::Unroutable => return Err(target.missing()),
                PublishOutcome::Nacked => {
                    // RabbitMQ 3.10 nacks on a channel for ever once the queue was full.
                    connection.channels.remove(target, &channel);
                    warn!("the broker nacked a message; publishing it again");
                }
                PublishOutcome::ChannelLost(BrokerFailure::Transient(why)) => {
                    connection.channels.remove(target, &channel);
                    debug!("publishing a message again: {why}");
                    properties = copy_of(properties);
                }
                PublishOutcome::ChannelLost(_) => {
                    connection.channels.remove(target, &channel);
                    drop(connection);
                    let properties = copy_of(properties);
                    return send_on_own_channel(&message, target, body, properties).await;
                }
            }
            // A lost connection leaves its place in the pool now.
            drop(connection);
            delays.wait().await;
        }
    }
}

/// The properties of the same message, published once more.
fn copy_of(properties: BasicProperties) -> BasicProperties {
    let mut headers = properties.headers().clone().unwrap_or_default();
    headers.insert(COPY.into(), AMQPValue::Boolean(true));
    properties.with_headers(headers)
}

/// Publishes on a channel of its own. The broker closed the shared channel because of one message; only a refusal on
/// the own channel proves that the message is at fault.
async fn send_on_own_channel(
    message: &InFlightMessage<'_>,
    target: &PublishTarget,
    body: &[u8],
    properties: BasicProperties,
) -> Result<(), QueueError> {
    let mut delays = RetryDelays::new();
    loop {
        let connection = message.connection().await;
        let channel = connection.open_channel(target);
        match attempt(channel, target, body, properties.clone()).await {
            PublishOutcome::Confirmed => return Ok(()),
            PublishOutcome::Unroutable
            | PublishOutcome::ChannelLost(BrokerFailure::QueueMissing) => {
                return Err(target.missing());
            }
            PublishOutcome::ChannelLost(BrokerFailure::Refused(message)) => {
                return Err(QueueError::Refused { message });
            }
            PublishOutcome::Nacked | PublishOutcome::ChannelLost(BrokerFailure::Transient(_)) => {}
        }
        drop(connection);
        delays.wait().await;
    }
}

async fn attempt(
    channel: impl Future<Output = Result<Channel, BrokerFailure>>,
    target: &PublishTarget,
    body: &[u8],
    properties: BasicProperties,
) -> PublishOutcome {
    let channel = match channel.await {
        Ok(channel) => channel,
        Err(failure) => return PublishOutcome::ChannelLost(failure),
    };
    let published = publish(&channel, target, body, properties);
    match while_connected(|| channel.status().connected(), published).await {
        Some(Ok(Confirmation::Ack(None))) => PublishOutcome::Confirmed,
        Some(Ok(Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)))) => {
            PublishOutcome::Unroutable
        }
        Some(Ok(Confirmation::Nack(None))) => PublishOutcome::Nacked,
        Some(Ok(Confirmation::NotRequested)) => {
            unreachable!("confirms were asked for when the channel was opened")
        }
        Some(Err(error)) => PublishOutcome::ChannelLost(BrokerFailure::from(&error)),
        None => PublishOutcome::ChannelLost(BrokerFailure::connection_lost()),
    }
}

async fn publish(
    channel: &Channel,
    target: &PublishTarget,
    body: &[u8],
    properties: BasicProperties,
) -> lapin::Result<Confirmation> {
    let (exchange, key) = target.route();
    channel
        .basic_publish(exchange, key, target.options(), body, properties)
        .await?
        .await
}
