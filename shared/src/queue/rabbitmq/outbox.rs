//! Publishing: persistent, mandatory, confirmed, and repeated until the broker has the message safe.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, ExchangeKind};
use tracing::{debug, warn};

use super::alive::while_alive;
use super::connection::Connection;
use super::pause::Pauses;
use super::topology::CONTROL;
use super::trouble::Trouble;
use crate::queue::{Queue, QueueError};

/// The header that says why a message lies in the dead queue.
pub(super) const REASON: &str = "x-drover-reason";

const PERSISTENT: u8 = 2;

/// For whom a message is.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Target {
    Queue(Queue),
    /// All who listen now; nobody is fine too.
    Everyone,
}

/// Publishes, with any number of messages in flight.
///
/// Each target has a channel of its own. The broker returns a message that it cannot route *before* it confirms
/// it, and lapin hands the returned message to whichever confirmation of the channel comes next: on a channel
/// for one queue that is as good as the right one, as they all share that queue's fate.
#[derive(Debug)]
pub(super) struct Outbox {
    connection: Arc<Connection>,
    channels: Mutex<Channels>,
}

#[derive(Default)]
struct Channels {
    given: u64,
    open: HashMap<Target, Opening>,
}

/// A channel, or one on its way; whoever waits for it drives it.
#[derive(Clone)]
struct Opening {
    number: u64,
    channel: Shared<BoxFuture<'static, Result<Channel, Trouble>>>,
}

/// What became of one attempt.
enum Attempt {
    Stored,
    Returned,
    /// The broker could not store it just now.
    NotStored,
    /// The channel is gone, with or without its connection; whether the message arrived is not known.
    Lost(Trouble),
}

impl Outbox {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            channels: Mutex::default(),
        }
    }

    /// Publishes one message; see [`crate::queue::Broker::publish`]. It may arrive twice if the connection is lost.
    pub(super) async fn publish(&self, target: &Target, body: &[u8]) -> Result<(), QueueError> {
        self.send(target, body, BasicProperties::default()).await
    }

    /// Puts a message into a dead queue, with the reason.
    pub(super) async fn bury(
        &self,
        dead: Queue,
        body: &[u8],
        reason: &str,
    ) -> Result<(), QueueError> {
        let mut headers = FieldTable::default();
        headers.insert(REASON.into(), AMQPValue::LongString(reason.into()));
        let properties = BasicProperties::default().with_headers(headers);
        self.send(&Target::Queue(dead), body, properties).await
    }

    async fn send(
        &self,
        target: &Target,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), QueueError> {
        let properties = properties.with_delivery_mode(PERSISTENT);
        let mut pauses = Pauses::new();
        loop {
            let opening = self.channel(target);
            match attempt(opening.channel.clone(), target, body, properties.clone()).await {
                Attempt::Stored => return Ok(()),
                Attempt::Returned => return Err(missing(target)),
                Attempt::NotStored => {
                    warn!("the broker could not store a message; publishing it again");
                }
                Attempt::Lost(Trouble::Passing(why)) => {
                    self.forget(target, opening.number);
                    debug!("a message is published again: {why}");
                }
                Attempt::Lost(_) => {
                    self.forget(target, opening.number);
                    return self.send_alone(target, body, properties).await;
                }
            }
            pauses.pause().await;
        }
    }

    /// Publishes on a channel that nobody shares: the broker closed the shared one because of one message, and
    /// only the message it refuses again was the one.
    async fn send_alone(
        &self,
        target: &Target,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), QueueError> {
        let mut pauses = Pauses::new();
        loop {
            let channel = open(Arc::clone(&self.connection), target.clone());
            match attempt(channel, target, body, properties.clone()).await {
                Attempt::Stored => return Ok(()),
                Attempt::Returned | Attempt::Lost(Trouble::Missing) => return Err(missing(target)),
                Attempt::Lost(Trouble::Refused(message)) => {
                    return Err(QueueError::Refused { message });
                }
                Attempt::NotStored | Attempt::Lost(Trouble::Passing(_)) => pauses.pause().await,
            }
        }
    }

    fn channel(&self, target: &Target) -> Opening {
        let mut channels = self.lock();
        if let Some(opening) = channels.open.get(target) {
            return opening.clone();
        }
        channels.given += 1;
        let opening = Opening {
            number: channels.given,
            channel: open(Arc::clone(&self.connection), target.clone())
                .boxed()
                .shared(),
        };
        channels.open.insert(target.clone(), opening.clone());
        opening
    }

    /// Lets the next one open a new channel, unless that was done already.
    fn forget(&self, target: &Target, number: u64) {
        let mut channels = self.lock();
        if channels
            .open
            .get(target)
            .is_some_and(|opening| opening.number == number)
        {
            channels.open.remove(target);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing(target: &Target) -> QueueError {
    match target {
        Target::Queue(queue) => QueueError::Missing {
            queue: queue.clone(),
        },
        Target::Everyone => unreachable!("what is for everyone may be for nobody"),
    }
}

async fn open(connection: Arc<Connection>, target: Target) -> Result<Channel, Trouble> {
    let live = connection.live().await;
    let live = live.map_err(|closed| Trouble::Refused(closed.to_string()))?;
    let opened = async {
        let channel = live.create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        if target == Target::Everyone {
            declare_control(&channel).await?;
        }
        Ok(channel)
    };
    match while_alive(|| live.status().connected(), opened).await {
        Some(opened) => opened.map_err(|error: lapin::Error| Trouble::from(&error)),
        None => Err(Trouble::gone()),
    }
}

/// Declares the exchange for what is broadcast. It need not outlive the broker: everyone declares it.
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
    channel: impl Future<Output = Result<Channel, Trouble>>,
    target: &Target,
    body: &[u8],
    properties: BasicProperties,
) -> Attempt {
    let channel = match channel.await {
        Ok(channel) => channel,
        Err(trouble) => return Attempt::Lost(trouble),
    };
    let published = publish(&channel, target, body, properties);
    match while_alive(|| channel.status().connected(), published).await {
        Some(Ok(Confirmation::Ack(None))) => Attempt::Stored,
        Some(Ok(Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)))) => Attempt::Returned,
        Some(Ok(Confirmation::Nack(None))) => Attempt::NotStored,
        Some(Ok(Confirmation::NotRequested)) => {
            unreachable!("confirms were asked for when the channel was opened")
        }
        Some(Err(error)) => Attempt::Lost(Trouble::from(&error)),
        None => Attempt::Lost(Trouble::gone()),
    }
}

async fn publish(
    channel: &Channel,
    target: &Target,
    body: &[u8],
    properties: BasicProperties,
) -> lapin::Result<Confirmation> {
    let (exchange, key) = match target {
        Target::Queue(queue) => (ShortString::default(), queue.to_string().into()),
        Target::Everyone => (CONTROL.into(), ShortString::default()),
    };
    let options = BasicPublishOptions {
        mandatory: matches!(target, Target::Queue(_)),
        ..BasicPublishOptions::default()
    };
    channel
        .basic_publish(exchange, key, options, body, properties)
        .await?
        .await
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_set().entries(self.open.keys()).finish()
    }
}
