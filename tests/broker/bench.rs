//! A pipeline's queues on a broker, and short words for what is done with them.

use std::net::TcpListener;
use std::time::Duration;

use bytes::Bytes;
use drover_shared::id::PipelineName;
use drover_shared::queue::rabbitmq::{Address, ConnectOptions};
use drover_shared::queue::{Broker, Consumer, Delivery, Link, Queue, QueueError, RabbitMq};
use drover_tests::{DEADLINE, unique};
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use tokio::time::{Instant, sleep, timeout};

/// How long a connection may take; nodes of tests are up before they are connected to.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A connected broker with a pipeline of its own.
pub(crate) struct Bench {
    pub(crate) broker: RabbitMq,
    pub(crate) pipeline: PipelineName,
}

impl Bench {
    /// Connects, and declares the queues.
    pub(crate) async fn at(url: &str) -> Self {
        let bench = Self::undeclared(url).await;
        let declared = bench.broker.declare(&bench.pipeline).await;
        declared.expect("declared");
        bench
    }

    /// Connects; there are no queues yet.
    pub(crate) async fn undeclared(url: &str) -> Self {
        let broker = connect(url).await.expect("the broker is up");
        let pipeline = unique("pipeline").parse().expect("a name");
        Self { broker, pipeline }
    }

    /// Declares the queue of datums with arguments that Drover does not give it.
    pub(crate) async fn declare_by_hand(&self, url: &str, argument: &str, value: i64) {
        let mut arguments = FieldTable::default();
        let dead = self.name_of("dead");
        for (name, value) in [
            ("x-queue-type", "quorum"),
            ("x-dead-letter-exchange", ""),
            ("x-dead-letter-routing-key", &dead),
        ] {
            arguments.insert(name.into(), AMQPValue::LongString(value.into()));
        }
        arguments.insert(argument.into(), AMQPValue::LongLongInt(value));
        let name = self.name_of("datums").into();
        let channel = by_hand(url).await;
        let declared = channel.queue_declare(name, QueueDeclareOptions::durable(), arguments);
        declared.await.expect("declared by hand");
    }

    /// Deletes the queue of datums.
    pub(crate) async fn delete_queue(&self, url: &str) {
        let name = self.name_of("datums").into();
        let channel = by_hand(url).await;
        let deleted = channel.queue_delete(name, QueueDeleteOptions::default());
        deleted.await.expect("deleted");
    }

    fn name_of(&self, purpose: &str) -> String {
        format!("drover.{}.{purpose}", self.pipeline.as_str())
    }

    pub(crate) async fn try_publish_number(&self, number: u32) -> Result<(), QueueError> {
        self.try_publish(&number.to_string()).await
    }

    pub(crate) fn datums(&self) -> Queue {
        Queue::Datums(self.pipeline.clone())
    }

    pub(crate) fn dead(&self) -> Queue {
        Queue::Dead(self.pipeline.clone())
    }

    pub(crate) async fn publish(&self, text: &str) {
        within(self.try_publish(text)).await.expect("published");
    }

    pub(crate) async fn try_publish(&self, text: &str) -> Result<(), QueueError> {
        let body = Bytes::from(text.to_owned());
        self.broker.publish(&self.datums(), body).await
    }

    pub(crate) async fn consume(&self, prefetch: u16) -> Box<dyn Consumer> {
        let consumer = self.broker.consume(&self.datums(), prefetch).await;
        consumer.expect("the queue is there")
    }

    /// Waits until the link is as `expected`.
    pub(crate) async fn link_is(&self, what: &str, expected: impl Fn(&Link) -> bool) {
        let begun = Instant::now();
        loop {
            let link = self.broker.link();
            if expected(&link) {
                return;
            }
            assert!(
                begun.elapsed() < DEADLINE,
                "waited in vain for the link to be {what}: {link:?}"
            );
            sleep(Duration::from_millis(20)).await;
        }
    }
}

pub(crate) async fn connect(url: &str) -> Result<RabbitMq, QueueError> {
    let address: Address = url.parse().expect("a URL");
    RabbitMq::connect(&address, "test", ConnectOptions::within(CONNECT_TIMEOUT)).await
}

/// Connects with a pool of at most `size` publishing connections.
pub(crate) async fn connect_pooled(url: &str, size: &str) -> RabbitMq {
    let address: Address = url.parse().expect("a URL");
    let options = ConnectOptions {
        publish_connections: size.parse().expect("a size"),
        ..ConnectOptions::within(CONNECT_TIMEOUT)
    };
    let connected = RabbitMq::connect(&address, "test", options).await;
    connected.expect("the broker is up")
}

/// A channel of the bare client, which keeps its connection open.
async fn by_hand(url: &str) -> lapin::Channel {
    let connection = lapin::Connection::connect(url, lapin::ConnectionProperties::default()).await;
    let connection = connection.expect("the broker is up");
    connection.create_channel().await.expect("a channel")
}

/// Awaits `work` with a deadline.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(DEADLINE, work).await.expect("it ends in time")
}

/// The next delivery, which comes.
pub(crate) async fn next(consumer: &mut dyn Consumer) -> Delivery {
    within(consumer.next()).await.expect("a delivery")
}

/// The text of a delivery.
pub(crate) fn text(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.body).into_owned()
}

/// Receives and acks until all of `expected` were there, in any order, each at least once.
pub(crate) async fn receives(consumer: &mut dyn Consumer, expected: &[&str]) {
    let mut missing: Vec<_> = expected.to_vec();
    while !missing.is_empty() {
        let delivery = next(consumer).await;
        let text = text(&delivery);
        missing.retain(|each| *each != text);
        // A claim that was lost meanwhile is a message that comes again.
        delivery.ack().await.expect("answered");
    }
}

/// Waits until a claim is known to be lost.
pub(crate) async fn is_lost(held: &Delivery) {
    let begun = Instant::now();
    while held.is_live() {
        assert!(begun.elapsed() < DEADLINE, "a claim is held for ever");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A port that is free at the moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}
