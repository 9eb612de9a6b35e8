//! Publishing: persistent, mandatory, confirmed, and repeated until the broker has the message safe.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, ExchangeKind};
use tracing::{debug, warn};

use super::connection::Connection;
use super::error::BrokerFailure;
use super::liveness::while_connected;
use super::retry::RetryDelays;
use super::topology::CONTROL;
use crate::queue::{Queue, QueueError};

/// Header with the reason of a dead letter.
pub(super) const REASON: &str = "x-drover-reason";

const PERSISTENT: u8 = 2;

/// Destination of a message.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum PublishTarget {
    Queue(Queue),
    /// All current listeners; no listener is fine too.
    Broadcast,
}

/// Publishes with any number of messages in flight.
///
/// Each target has a channel of its own. The broker returns an unroutable message before confirming the message, and
/// lapin attributes the return to the next confirmation on the channel. On a channel for a single queue the mix-up is
/// harmless: every message of the channel shares the queue's fate.
#[derive(Debug)]
pub(super) struct MessagePublisher {
    connection: Arc<Connection>,
    channels: Mutex<TargetChannels>,
}

#[derive(Default)]
struct TargetChannels {
    given: u64,
    open: HashMap<PublishTarget, PendingChannel>,
}

/// A channel that is open or being opened; every waiting task polls the same future.
#[derive(Clone)]
struct PendingChannel {
    number: u64,
    channel: Shared<BoxFuture<'static, Result<Channel, BrokerFailure>>>,
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
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            channels: Mutex::default(),
        }
    }

    /// Publishes a message; see [`crate::queue::Broker::publish`]. The message may arrive twice if the connection is
    /// lost.
    pub(super) async fn publish(
        &self,
        target: &PublishTarget,
        body: &[u8],
    ) -> Result<(), QueueError> {
        self.send(target, body, BasicProperties::default()).await
    }

    /// Puts a message into a dead queue, with the reason.
    pub(super) async fn dead_letter(
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
        let properties = properties.with_delivery_mode(PERSISTENT);
        let mut delays = RetryDelays::new();
        loop {
            let pending = self.channel(target);
            match attempt(pending.channel.clone(), target, body, properties.clone()).await {
                PublishOutcome::Confirmed => return Ok(()),
                PublishOutcome::Unroutable => return Err(missing(target)),
                PublishOutcome::Nacked => {
                    warn!("the broker nacked a message; publishing it again");
                }
                PublishOutcome::ChannelLost(BrokerFailure::Transient(why)) => {
                    self.drop_channel(target, pending.number);
                    debug!("publishing a message again: {why}");
                }
                PublishOutcome::ChannelLost(_) => {
                    self.drop_channel(target, pending.number);
                    return self.send_on_own_channel(target, body, properties).await;
                }
            }
            delays.wait().await;
        }
    }

    /// Publishes on a channel of its own. The broker closed the shared channel because of one message; only a refusal
    /// on the own channel proves that the message is at fault.
    async fn send_on_own_channel(
        &self,
        target: &PublishTarget,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), QueueError> {
        let mut delays = RetryDelays::new();
        loop {
            let channel = open(Arc::clone(&self.connection), target.clone());
            match attempt(channel, target, body, properties.clone()).await {
                PublishOutcome::Confirmed => return Ok(()),
                PublishOutcome::Unroutable
                | PublishOutcome::ChannelLost(BrokerFailure::QueueMissing) => {
                    return Err(missing(target));
                }
                PublishOutcome::ChannelLost(BrokerFailure::Refused(message)) => {
                    return Err(QueueError::Refused { message });
                }
                PublishOutcome::Nacked
                | PublishOutcome::ChannelLost(BrokerFailure::Transient(_)) => delays.wait().await,
            }
        }
    }

    fn channel(&self, target: &PublishTarget) -> PendingChannel {
        let mut channels = self.lock();
        if let Some(pending) = channels.open.get(target) {
            return pending.clone();
        }
        channels.given += 1;
        let pending = PendingChannel {
            number: channels.given,
            channel: open(Arc::clone(&self.connection), target.clone())
                .boxed()
                .shared(),
        };
        channels.open.insert(target.clone(), pending.clone());
        pending
    }

    /// Removes a broken channel, unless another task has replaced the channel already.
    fn drop_channel(&self, target: &PublishTarget, number: u64) {
        let mut channels = self.lock();
        if channels
            .open
            .get(target)
            .is_some_and(|pending| pending.number == number)
        {
            channels.open.remove(target);
        }
    }

    fn lock(&self) -> MutexGuard<'_, TargetChannels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing(target: &PublishTarget) -> QueueError {
    match target {
        PublishTarget::Queue(queue) => QueueError::Missing {
            queue: queue.clone(),
        },
        PublishTarget::Broadcast => unreachable!("what is for everyone may be for nobody"),
    }
}

async fn open(
    connection: Arc<Connection>,
    target: PublishTarget,
) -> Result<Channel, BrokerFailure> {
    let live = connection.connected().await;
    let live = live.map_err(|closed| BrokerFailure::Refused(closed.to_string()))?;
    let opened = async {
        let channel = live.create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        if target == PublishTarget::Broadcast {
            declare_control(&channel).await?;
        }
        Ok(channel)
    };
    match while_connected(|| live.status().connected(), opened).await {
        Some(opened) => opened.map_err(|error: lapin::Error| BrokerFailure::from(&error)),
        None => Err(BrokerFailure::connection_lost()),
    }
}

/// Declares the exchange for broadcasts. The exchange need not survive the broker: every client declares it.
pub(super) async fn declare_control(channel: &Channel) -> lapin::Result<()> {
    channel
        .exchange_declare(
            CONTROL.into(),
            ExchangeKind::Fanout,
            ExchangeDeclareOptions::default(),
            FieldTable::default(),
        )
        .await
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
    let (exchange, key) = match target {
        PublishTarget::Queue(queue) => (ShortString::default(), queue.to_string().into()),
        PublishTarget::Broadcast => (CONTROL.into(), ShortString::default()),
    };
    let options = BasicPublishOptions {
        mandatory: matches!(target, PublishTarget::Queue(_)),
        ..BasicPublishOptions::default()
    };
    channel
        .basic_publish(exchange, key, options, body, properties)
        .await?
        .await
}

impl std::fmt::Debug for TargetChannels {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_set().entries(self.open.keys()).finish()
    }
}
