//! Subscriptions: the queue of a consumer, and how to subscribe on a fresh channel.

use std::fmt;
use std::sync::Arc;

use lapin::Channel;
use lapin::options::{BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};

use crate::queue::Queue;
use crate::queue::rabbitmq::error::BrokerFailure;
use crate::queue::rabbitmq::liveness::while_connected;
use crate::queue::rabbitmq::publisher::declare_control;
use crate::queue::rabbitmq::topology::{self, CONTROL};

#[derive(Clone, Debug)]
pub(in crate::queue::rabbitmq) enum Subscription {
    /// A queue, with manual acks.
    Queue { queue: Queue, prefetch: u16 },
    /// Broadcasts, through an exclusive queue of the listener that lives as long as the connection.
    Broadcast { name: String },
}

impl Subscription {
    /// The queue, unless the listener declares a queue of its own.
    pub(in crate::queue::rabbitmq) fn queue(&self) -> Option<&Queue> {
        match self {
            Self::Queue { queue, .. } => Some(queue),
            Self::Broadcast { .. } => None,
        }
    }

    pub(in crate::queue::rabbitmq) fn dead_queue(&self) -> Option<Queue> {
        self.queue().and_then(topology::dead_queue)
    }

    /// Subscribes on a new channel. A cancelled caller leaves no consumer behind.
    pub(in crate::queue::rabbitmq) async fn open(
        &self,
        connection: Arc<lapin::Connection>,
    ) -> Result<(Channel, lapin::Consumer), BrokerFailure> {
        let source = self.clone();
        // The broker might complete an abandoned subscription later; lapin would never cancel that consumer. So a task
        // always waits for the subscription, and dropping the result cancels it.
        #[expect(
            clippy::disallowed_methods,
            reason = "the task must outlive a cancelled caller, and ends with the connection at the latest"
        )]
        let pending = tokio::spawn(async move {
            let subscribed = source.subscribe_on(&connection);
            match while_connected(|| connection.status().connected(), subscribed).await {
                Some(subscribed) => subscribed.map_err(|error| BrokerFailure::from(&error)),
                None => Err(BrokerFailure::connection_lost()),
            }
        });
        match pending
            .await
            .map_err(tokio::task::JoinError::try_into_panic)
        {
            Ok(opened) => opened,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // The runtime shuts down, and every waiting task with it.
            Err(Err(_)) => std::future::pending().await,
        }
    }

    async fn subscribe_on(
        &self,
        connection: &lapin::Connection,
    ) -> lapin::Result<(Channel, lapin::Consumer)> {
        let channel = connection.create_channel().await?;
        let consumer = match self {
            Self::Queue { queue, prefetch } => {
                let options = BasicQosOptions { global: false };
                channel.basic_qos((*prefetch).max(1), options).await?;
                consume(&channel, queue.to_string(), false).await?
            }
            Self::Broadcast { name } => {
                let queue = topology::control_name(name);
                declare_control(&channel).await?;
                let options = QueueDeclareOptions {
                    exclusive: true,
                    auto_delete: true,
                    ..QueueDeclareOptions::default()
                };
                let nothing = FieldTable::default;
                channel
                    .queue_declare(queue.as_str().into(), options, nothing())
                    .await?;
                channel
                    .queue_bind(
                        queue.as_str().into(),
                        CONTROL.into(),
                        ShortString::default(),
                        QueueBindOptions::default(),
                        nothing(),
                    )
                    .await?;
                consume(&channel, queue, true).await?
            }
        };
        Ok((channel, consumer))
    }
}

async fn consume(channel: &Channel, queue: String, no_ack: bool) -> lapin::Result<lapin::Consumer> {
    let options = BasicConsumeOptions {
        no_ack,
        ..BasicConsumeOptions::default()
    };
    let tag_by_broker = ShortString::default();
    channel
        .basic_consume(queue.into(), tag_by_broker, options, FieldTable::default())
        .await
}

/// For the log.
impl fmt::Display for Subscription {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue { queue, .. } => write!(out, "consuming {queue}"),
            Self::Broadcast { name } => write!(out, "listening as {name}"),
        }
    }
}
