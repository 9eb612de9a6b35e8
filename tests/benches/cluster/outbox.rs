//! Publishing alone: by the broker room, and by the bare client.

use std::process::{Command, ExitCode};
use std::time::Duration;

use bytes::Bytes;
use drover_shared::queue::rabbitmq::ConnectOptions;
use drover_shared::queue::{Broker, Queue, RabbitMq};
use futures::StreamExt;

use super::bare;

const MARK: &str = "__outbox";
/// Messages on their way to the broker at the same time, as the coordinator has them.
pub(super) const AT_ONCE: usize = 256;

/// The command that publishes `count` messages, as `bare` or `drover`.
pub(super) fn command(url: &str, who: &str, count: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program knows its own path"));
    command.args([MARK, url, who, &count.to_string()]);
    command
}

/// Publishes, if the process was started for publishing.
pub(super) fn take_over() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    if args.next()? != MARK {
        return None;
    }
    let (url, who, count) = (args.next()?, args.next()?, args.next()?.parse().ok()?);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        match who.as_str() {
            "bare" => by_the_client(&url, count).await,
            _ => by_drover(&url, count).await,
        }
    });
    Some(ExitCode::SUCCESS)
}

fn body() -> Bytes {
    Bytes::from(vec![b'x'; 300])
}

async fn by_the_client(url: &str, count: u64) {
    let channel = bare::channel(url, "bare.outbox").await;
    let (channel, body) = (&channel, &body());
    let messages = futures::stream::iter(0..count)
        .map(|_| async move { bare::send(channel, "bare.outbox", body).await });
    messages
        .buffer_unordered(AT_ONCE)
        .for_each(|()| async {})
        .await;
}

async fn by_drover(url: &str, count: u64) {
    let address = url.parse().expect("an address");
    let options = ConnectOptions::within(Duration::from_secs(30));
    let broker = RabbitMq::connect(&address, "bench", options).await;
    let broker = broker.expect("the broker is up");
    let pipeline = "outbox".parse().expect("a name");
    broker.declare(&pipeline).await.expect("declared");
    let queue = Queue::Datums(pipeline);
    broker.purge(&queue).await.expect("purged");
    let (broker, queue, body) = (&broker, &queue, body());
    let messages = futures::stream::iter(0..count).map(|_| {
        let body = body.clone();
        async move { broker.publish(queue, body).await.expect("published") }
    });
    messages
        .buffer_unordered(AT_ONCE)
        .for_each(|()| async {})
        .await;
}
