//! The client of a broker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use lapin::ExchangeKind;
use lapin::options::{
    BasicGetOptions, BasicNackOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::{FieldTable, ShortString};
use tokio::time::timeout;
use tracing::info;

use super::connection::{Address, BrokerConnector, ConnectError, Connection};
use super::consumer::{ConsumerContext, ConsumerHealthRegistry, RabbitConsumer, Subscription};
use super::error::exists;
use super::operation::{run_on_channel, run_operation};
use super::preflight::Version;
use super::publisher::{MessagePublisher, PublishConnections, PublishPool, PublishTarget};
use super::retry::RetryDelays;
use super::topology;
use crate::id::PipelineName;
use crate::ledger::StoreIdentity;
use crate::queue::{Broker, Consumer, Depth, Link, Queue, QueueError};

/// Least time to wait for the broker's greeting.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(100);
/// Time for the probe of an alarm.
const ALARM_PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A broker reached over the network. Cheap to clone; the connections close after the last clone and the last consumer
/// are dropped.
#[derive(Clone, Debug)]
pub struct RabbitMq {
    version: Version,
    /// The store that owns the queues of the client; none keeps the present owners.
    store: Option<Arc<StoreIdentity>>,
    consuming: Arc<Connection>,
    publisher: Arc<MessagePublisher>,
    consumers: Arc<ConsumerHealthRegistry>,
}

/// Connections of a client: one to consume, and a pool to publish.
#[derive(Clone, Copy, Debug)]
pub struct ConnectOptions {
    /// Time limit for the first connection.
    pub time_limit: Duration,
    /// Largest number of publishing connections, which are opened when needed.
    pub publish_connections: PublishConnections,
}

impl ConnectOptions {
    /// Options with a time limit and one publishing connection.
    pub fn within(time_limit: Duration) -> Self {
        Self {
            time_limit,
            publish_connections: PublishConnections::ONE,
        }
    }
}

impl RabbitMq {
    /// Connects. `process` is the connection name shown by the broker, for example a worker's id.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the broker cannot be reached in time, `Refused` at once if the broker rejects user, password,
    /// vhost or certificate.
    pub async fn connect(
        address: &Address,
        process: &str,
        options: ConnectOptions,
    ) -> Result<Self, QueueError> {
        let connector =
            |purpose: &str| BrokerConnector::new(address.clone(), &format!("{process} {purpose}"));
        let ConnectOptions {
            time_limit,
            publish_connections,
        } = options;
        let begun = Instant::now();
        let consuming = Arc::new(Connection::new(connector("consuming")));
        consuming.wait_until_connected(time_limit).await?;
        let left = time_limit.saturating_sub(begun.elapsed());
        let version = version(address, &connector("greeting"), left).await?;
        info!("connected to RabbitMQ {version} at {address}");
        let publishing = PublishPool::new(connector("publishing"), publish_connections);
        Ok(Self {
            version,
            store: None,
            consuming,
            publisher: Arc::new(MessagePublisher::new(publishing)),
            consumers: Arc::default(),
        })
    }

    /// The broker's version at the time of the connection; see [`preflight`](super::preflight).
    pub fn version(&self) -> Version {
        self.version
    }

    /// The client for the queues of one store: [`Broker::declare`] records the store at the queues of a pipeline, and
    /// refuses queues of another store.
    #[must_use]
    pub fn for_store(self, store: Option<StoreIdentity>) -> Self {
        let store = store.map(Arc::new);
        Self { store, ..self }
    }

    /// True if a store is recorded at the queues of the pipeline.
    pub async fn has_owner(&self, pipeline: &PipelineName) -> Result<bool, QueueError> {
        run_on_channel(&self.consuming, |channel| {
            let name = topology::owner_name(pipeline).into();
            async move {
                let options = ExchangeDeclareOptions {
                    passive: true,
                    ..ExchangeDeclareOptions::default()
                };
                let kind = ExchangeKind::Fanout;
                let found = channel.exchange_declare(name, kind, options, FieldTable::default());
                exists(found.await)
            }
        })
        .await
    }

    /// True if the queue answers: the queue's leader is up, by a majority of the nodes with the queue. A passive declaration
    /// does not tell. A broker that cannot serve the queue may close the connection of the client, so the call is for
    /// clients without consumers.
    pub async fn answers(&self, queue: &Queue, limit: Duration) -> bool {
        let asked = run_operation(&self.consuming, queue, |channel| {
            let name = queue.to_string().into();
            async move {
                let message = channel.basic_get(name, BasicGetOptions::default()).await?;
                if let Some(message) = message {
                    let requeue = BasicNackOptions {
                        requeue: true,
                        ..BasicNackOptions::default()
                    };
                    message.acker.nack(requeue).await?;
                }
                Ok(())
            }
        });
        matches!(timeout(limit, asked).await, Ok(Ok(())))
    }

    /// Records the store at the queues of the pipeline, unless they belong to another store.
    async fn claim_queues(
        &self,
        pipeline: &PipelineName,
        store: &StoreIdentity,
    ) -> Result<(), QueueError> {
        let queue = Queue::Datums(pipeline.clone());
        let claimed = run_operation(&self.consuming, &queue, |channel| {
            let name: ShortString = topology::owner_name(pipeline).into();
            let (queue, owner) = (queue.to_string().into(), topology::owner_arguments(store));
            async move {
                let options = ExchangeDeclareOptions {
                    durable: true,
                    auto_delete: true,
                    ..ExchangeDeclareOptions::default()
                };
                let (kind, nothing) = (ExchangeKind::Fanout, FieldTable::default());
                channel
                    .exchange_declare(name.clone(), kind, options, owner)
                    .await?;
                let options = QueueBindOptions::default();
                channel
                    .queue_bind(queue, name, "".into(), options, nothing)
                    .await
            }
        });
        claimed.await.map_err(|error| match error {
            QueueError::Refused { message } => QueueError::Refused {
                message: topology::refused_by(&message)
                    .map_or(message, |other| foreign_queues(pipeline, &other, store)),
            },
            error => error,
        })
    }

    async fn subscribe(&self, source: Subscription) -> Result<Box<dyn Consumer>, QueueError> {
        let context = ConsumerContext {
            connection: Arc::clone(&self.consuming),
            publisher: Arc::clone(&self.publisher),
            source,
        };
        Ok(Box::new(
            RabbitConsumer::open(context, self.consumers.join()).await?,
        ))
    }
}

fn foreign_queues(pipeline: &PipelineName, other: &str, store: &StoreIdentity) -> String {
    format!(
        "the queues of the pipeline {pipeline} on this vhost belong to the store {other}, and this store is {store}; check --store and its mount, \
         or give this store another vhost in the broker's URL, or the pipeline another name; if the other store is gone for good, delete the queue \
         {} (rabbitmqctl delete_queue)",
        Queue::Datums(pipeline.clone())
    )
}

/// Asks for the version until the broker answers, for about `time_limit`: the broker may go down right after a
/// connection.
async fn version(
    address: &Address,
    connector: &BrokerConnector,
    time_limit: Duration,
) -> Result<Version, QueueError> {
    let begun = Instant::now();
    let mut delays = RetryDelays::new();
    loop {
        let left = time_limit.saturating_sub(begun.elapsed());
        let asked = timeout(left.max(SHORTEST_ATTEMPT), connector.version()).await;
        let no_answer = || Err(ConnectError::Transient("no greeting".to_owned()));
        match asked.unwrap_or_else(|_| no_answer()) {
            Ok(version) => return Ok(version),
            Err(ConnectError::Refused(why)) => {
                let message = format!("{address}: {why}");
                return Err(QueueError::Refused { message });
            }
            Err(ConnectError::Transient(why)) if begun.elapsed() >= time_limit => {
                let message = format!("{address} did not send its version: {why}");
                return Err(QueueError::Unavailable { message });
            }
            Err(ConnectError::Transient(_)) => delays.wait().await,
        }
    }
}

#[async_trait]
impl Broker for RabbitMq {
    async fn declare(&self, pipeline: &PipelineName) -> Result<(), QueueError> {
        for declaration in topology::queues(pipeline) {
            run_operation(&self.consuming, &declaration.queue, |channel| {
                let name = declaration.queue.to_string().into();
                let arguments = declaration.arguments.clone();
                async move {
                    let options = QueueDeclareOptions::durable();
                    channel.queue_declare(name, options, arguments).await
                }
            })
            .await?;
        }
        match &self.store {
            Some(store) => self.claim_queues(pipeline, store).await,
            None => Ok(()),
        }
    }

    async fn publish(&self, queue: &Queue, body: Bytes) -> Result<(), QueueError> {
        self.publisher
            .publish(&PublishTarget::Queue(queue.clone()), &body)
            .await
    }

    async fn consume(&self, queue: &Queue, prefetch: u16) -> Result<Box<dyn Consumer>, QueueError> {
        let queue = queue.clone();
        self.subscribe(Subscription::Queue { queue, prefetch })
            .await
    }

    async fn purge(&self, queue: &Queue) -> Result<u64, QueueError> {
        let purged = run_operation(&self.consuming, queue, |channel| {
            let name = queue.to_string().into();
            async move {
                channel
                    .queue_purge(name, QueuePurgeOptions::default())
                    .await
            }
        });
        purged.await.map(u64::from)
    }

    /// The dead queue goes last, because the others refer to it.
    async fn delete_queues(&self, pipeline: &PipelineName) -> Result<(), QueueError> {
        for declaration in topology::queues(pipeline).into_iter().rev() {
            run_operation(&self.consuming, &declaration.queue, |channel| {
                let name = declaration.queue.to_string().into();
                async move {
                    channel
                        .queue_delete(name, QueueDeleteOptions::default())
                        .await
                }
            })
            .await?;
        }
        Ok(())
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, QueueError> {
        run_operation(&self.consuming, queue, |channel| {
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
        self.publisher
            .publish(&PublishTarget::Broadcast, &body)
            .await
    }

    async fn listen(&self, name: &str) -> Result<Box<dyn Consumer>, QueueError> {
        let name = name.to_owned();
        self.subscribe(Subscription::Broadcast { name }).await
    }

    async fn is_listening(&self, name: &str) -> Result<bool, QueueError> {
        run_on_channel(&self.consuming, |channel| {
            let queue = topology::control_name(name).into();
            async move {
                let options = QueueDeclareOptions {
                    passive: true,
                    ..QueueDeclareOptions::default()
                };
                let found = channel.queue_declare(queue, options, FieldTable::default());
                exists(found.await)
            }
        })
        .await
    }

    /// Publishes an empty message that no queue receives. Does nothing unless the link is up.
    async fn probe_alarm(&self) {
        if self.link() != Link::Up {
            return;
        }
        let probe = self.publisher.publish(&PublishTarget::AlarmProbe, b"");
        // During an alarm the broker does not answer on this connection.
        let _ = timeout(ALARM_PROBE_TIMEOUT, probe).await;
    }

    fn link(&self) -> Link {
        let (consuming, publishing) = (self.consuming.link(), self.publisher.link());
        match (consuming, publishing, self.consumers.interruption()) {
            (down @ Link::Down { .. }, ..) | (_, down @ Link::Down { .. }, _) => down,
            (.., Some(why)) => Link::Down { why },
            (blocked @ Link::Blocked { .. }, ..) | (_, blocked, _) => blocked,
        }
    }
}
