//! The queue on `RabbitMQ`, 3.10 and later, over lapin.
//!
//! In reading order: [`address`] is where the broker is, [`topology`] the queues as data, [`preflight`] what to know
//! of a broker before work starts. A [`dialer`] makes connections and a [`connection`] is one that is kept: there are
//! two, one to consume and one to publish, because an alarm stops everything on a connection that has published,
//! acks included. The [`outbox`] publishes, an [`inbox`] consumes from its [`source`], a [`claim`] answers one
//! delivery, an [`errand`](mod@errand) is short business in between; [`trouble`] sorts lapin's errors by what is to be done, a
//! [`pause`] comes before another try, nothing is waited for that is not [`alive`], and [`status`] knows whether all consumers receive.
//!
//! lapin's own recovery is left off. It covers lost connections alone: a channel that the broker closed (consumer
//! timeout, refused operation), a consumer that it cancelled and a listener's queue are for us to rebuild anyway,
//! and with it on, a consumer whose channel was closed waits for ever instead of ending. So there is one way to
//! heal, for all of them: let go of what is left, and take up the same thing on a fresh channel of whatever
//! connection there is by then. Claims of the old channel are lost with it, visibly.
//!
//! The room knows no message's meaning. Its only tasks are one a connection; they end with it.

mod address;
mod alive;
mod claim;
mod connection;
mod dialer;
mod errand;
mod greeting;
mod inbox;
mod outbox;
mod pause;
mod preflight;
mod source;
mod status;
mod topology;
mod trouble;
mod typed;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use lapin::options::{QueueDeclareOptions, QueuePurgeOptions};
use lapin::types::FieldTable;
use tracing::info;

pub use self::address::{Address, InvalidAddress};
pub use self::preflight::{Advice, InvalidVersion, Version, preflight};
pub use self::typed::BrokerUrl;

use self::connection::Connection;
use self::dialer::{Dialer, Failed};
use self::errand::errand;
use self::inbox::{Inbox, Tools};
use self::outbox::{Outbox, Target};
use self::pause::Pauses;
use self::source::Source;
use self::status::Consumers;
use super::{Broker, Consumer, Depth, Link, Queue, QueueError};
use crate::id::PipelineName;

/// A broker reached over the network. Cheap to clone; its connections are closed when the last clone and the last
/// of its consumers are gone.
#[derive(Clone, Debug)]
pub struct RabbitMq {
    version: Version,
    consuming: Arc<Connection>,
    publishing: Arc<Connection>,
    outbox: Arc<Outbox>,
    consumers: Arc<Consumers>,
}

impl RabbitMq {
    /// Connects, within `patience`. `process` is who the broker shows as connected, for example a worker's id.
    ///
    /// # Errors
    /// `Unavailable` when the broker cannot be reached in that time, `Refused` at once when it takes neither user,
    /// password, vhost nor certificate.
    pub async fn connect(
        address: &Address,
        process: &str,
        patience: Duration,
    ) -> Result<Self, QueueError> {
        let dialer = |purpose: &str| Dialer::new(address.clone(), format!("{process} {purpose}"));
        let begun = Instant::now();
        let consuming = Arc::new(Connection::new("consuming", dialer("consuming")));
        consuming.reached(patience).await?;
        let left = patience.saturating_sub(begun.elapsed());
        let version = version(address, &dialer("greeting"), left).await?;
        info!("connected to RabbitMQ {version} at {address}");
        let publishing = Arc::new(Connection::new("publishing", dialer("publishing")));
        Ok(Self {
            version,
            consuming,
            outbox: Arc::new(Outbox::new(Arc::clone(&publishing))),
            publishing,
            consumers: Arc::default(),
        })
    }

    /// The broker's version, as it was when it was connected to; see [`preflight`].
    pub fn version(&self) -> Version {
        self.version
    }

    async fn inbox(&self, source: Source) -> Result<Box<dyn Consumer>, QueueError> {
        let tools = Tools {
            connection: Arc::clone(&self.consuming),
            outbox: Arc::clone(&self.outbox),
            source,
        };
        Ok(Box::new(Inbox::open(tools, self.consumers.join()).await?))
    }
}

/// Asks until the broker answers, for about `patience`: it may go down again right after it was reached.
async fn version(
    address: &Address,
    dialer: &Dialer,
    patience: Duration,
) -> Result<Version, QueueError> {
    let begun = Instant::now();
    let mut pauses = Pauses::new();
    loop {
        match dialer.version().await {
            Ok(version) => return Ok(version),
            Err(Failed::Refused(why)) => {
                let message = format!("{address}: {why}");
                return Err(QueueError::Refused { message });
            }
            Err(Failed::Passing(why)) if begun.elapsed() >= patience => {
                let message = format!("{address} does not tell its version: {why}");
                return Err(QueueError::Unavailable { message });
            }
            Err(Failed::Passing(_)) => pauses.pause().await,
        }
    }
}

#[async_trait]
impl Broker for RabbitMq {
    async fn declare(&self, pipeline: &PipelineName) -> Result<(), QueueError> {
        for declaration in topology::queues(pipeline) {
            errand(&self.consuming, &declaration.queue, |channel| {
                let name = declaration.queue.to_string().into();
                let arguments = declaration.arguments.clone();
                async move {
                    let options = QueueDeclareOptions::durable();
                    channel.queue_declare(name, options, arguments).await
                }
            })
            .await?;
        }
        Ok(())
    }

    async fn publish(&self, queue: &Queue, body: Bytes) -> Result<(), QueueError> {
        self.outbox
            .publish(&Target::Queue(queue.clone()), &body)
            .await
    }

    async fn consume(&self, queue: &Queue, prefetch: u16) -> Result<Box<dyn Consumer>, QueueError> {
        let queue = queue.clone();
        self.inbox(Source::Queue { queue, prefetch }).await
    }

    async fn purge(&self, queue: &Queue) -> Result<u64, QueueError> {
        let purged = errand(&self.consuming, queue, |channel| {
            let name = queue.to_string().into();
            async move {
                channel
                    .queue_purge(name, QueuePurgeOptions::default())
                    .await
            }
        });
        purged.await.map(u64::from)
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, QueueError> {
        errand(&self.consuming, queue, |channel| {
            let name = queue.to_string().into();
            async move {
                let options = QueueDeclareOptions {
                    passive: true,
                    ..QueueDeclareOptions::default()
                };
                let found = channel
                    .queue_declare(name, options, FieldTable::default())
                    .await?;
                Ok(Depth {
                    ready: found.message_count().into(),
                    consumers: found.consumer_count(),
                })
            }
        })
        .await
    }

    async fn broadcast(&self, body: Bytes) -> Result<(), QueueError> {
        self.outbox.publish(&Target::Everyone, &body).await
    }

    async fn listen(&self, name: &str) -> Result<Box<dyn Consumer>, QueueError> {
        let name = name.to_owned();
        self.inbox(Source::Control { name }).await
    }

    fn link(&self) -> Link {
        let (consuming, publishing) = (self.consuming.link(), self.publishing.link());
        match (consuming, publishing, self.consumers.ailing()) {
            (down @ Link::Down { .. }, ..) | (_, down @ Link::Down { .. }, _) => down,
            (.., Some(why)) => Link::Down { why },
            (blocked @ Link::Blocked { .. }, ..) | (_, blocked, _) => blocked,
        }
    }
}
