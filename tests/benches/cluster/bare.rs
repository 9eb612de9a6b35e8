//! The least that a worker over the same client and the same broker does: take, spawn, tell, ack.

use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

const MARK: &str = "__lapin-loop";
/// Messages held, and messages on their way to the broker.
const PREFETCH: u16 = 32;
const WINDOW: usize = 256;
/// A loop that hangs is a bug of the program.
const DEADLINE: Duration = Duration::from_mins(10);

/// The command that runs the loop over `count` messages.
pub(super) fn command(url: &str, count: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program knows its own path"));
    command.args([MARK, url, &count.to_string()]);
    command
}

/// Runs the loop, if the process was started for the loop.
pub(super) fn take_over() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    if args.next()? != MARK {
        return None;
    }
    let (url, count) = (args.next()?, args.next()?.parse().ok()?);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        let all = timeout(DEADLINE, all(&url, count)).await;
        all.expect("the loop ends in time");
    });
    Some(ExitCode::SUCCESS)
}

async fn all(url: &str, count: u64) {
    let publishing = channel(url, "bare.tasks").await;
    let reporting = channel(url, "bare.results").await;
    let collecting = channel(url, "bare.results").await;
    let working = channel(url, "bare.tasks").await;
    tokio::join!(
        publish(&publishing, count),
        work(&working, &reporting, count),
        collect(&collecting, count)
    );
}

/// A confirming channel on a connection of its own, and the quorum queue.
pub(super) async fn channel(url: &str, queue: &str) -> Channel {
    let connection = Connection::connect(url, ConnectionProperties::default()).await;
    let connection = connection.expect("the broker is up");
    let channel = connection.create_channel().await.expect("a channel");
    let confirm = channel.confirm_select(ConfirmSelectOptions::default());
    confirm.await.expect("confirms");
    let mut arguments = FieldTable::default();
    arguments.insert(
        "x-queue-type".into(),
        AMQPValue::LongString("quorum".into()),
    );
    let declared = channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments);
    declared.await.expect("declared");
    let purged = channel.queue_purge(queue.into(), QueuePurgeOptions::default());
    purged.await.expect("purged");
    channel
}

/// Sends a message and waits for the confirmation.
pub(super) async fn send(channel: &Channel, queue: &str, body: &[u8]) {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let sent = channel
        .basic_publish("".into(), queue.into(), options, body, persistent)
        .await;
    let confirmed = sent.expect("sent").await.expect("confirmed");
    assert!(confirmed.is_ack(), "refused");
}

async fn publish(channel: &Channel, count: u64) {
    let messages = futures::stream::iter(0..count)
        .map(|number| async move { send(channel, "bare.tasks", &body(number)).await });
    messages
        .buffer_unordered(WINDOW)
        .for_each(|()| async {})
        .await;
}

fn body(number: u64) -> Vec<u8> {
    format!("{number:0300}").into_bytes()
}

async fn work(tasks: &Channel, results: &Channel, count: u64) {
    let qos = tasks.basic_qos(PREFETCH, BasicQosOptions::default());
    qos.await.expect("a prefetch");
    let consumer = tasks.basic_consume(
        "bare.tasks".into(),
        "".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let mut consumer = consumer.await.expect("a consumer");
    let slots = Arc::new(Semaphore::new(2));
    let mut hands = JoinSet::new();
    for _ in 0..count {
        let delivery = consumer
            .next()
            .await
            .expect("a delivery")
            .expect("a delivery");
        let (slots, results) = (Arc::clone(&slots), results.clone());
        hands.spawn(async move {
            let slot = slots.acquire_owned().await.expect("never closed");
            let status = tokio::process::Command::new("/bin/true").status().await;
            assert!(
                status.is_ok_and(|status| status.success()),
                "/bin/true failed"
            );
            drop(slot);
            send(&results, "bare.results", &delivery.data).await;
            let acked = delivery.ack(BasicAckOptions::default()).await;
            acked.expect("acked");
        });
    }
    hands.join_all().await;
}

async fn collect(channel: &Channel, count: u64) {
    let qos = channel.basic_qos(512, BasicQosOptions::default());
    qos.await.expect("a prefetch");
    let consumer = channel.basic_consume(
        "bare.results".into(),
        "".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let mut consumer = consumer.await.expect("a consumer");
    for _ in 0..count {
        let delivery = consumer.next().await.expect("a result").expect("a result");
        let acked = delivery.ack(BasicAckOptions::default()).await;
        acked.expect("acked");
    }
}
