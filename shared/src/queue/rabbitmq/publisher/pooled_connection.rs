//! A publishing connection of the pool.

use std::sync::Arc;

use deadpool::managed::{Manager, Metrics, RecycleResult};
use lapin::Channel;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::channels::{self, Channels, SharedChannel};
use super::health::{BlockReport, PublishHealth};
use super::target::PublishTarget;
use crate::queue::rabbitmq::connection::{
    Address, BrokerConnector, ConnectError, watch_until_lost,
};
use crate::queue::rabbitmq::error::BrokerFailure;

/// A connection with its channels. A task watches the connection, and ends with the value.
#[derive(Debug)]
pub(super) struct PooledConnection {
    connection: lapin::Connection,
    pub(super) channels: Channels,
    _watch: JoinSet<()>,
}

impl PooledConnection {
    fn new(connection: lapin::Connection, address: Address, report: BlockReport) -> Self {
        let status = connection.status().clone();
        let events = connection.events_listener();
        let mut watch = JoinSet::new();
        watch.spawn(async move {
            let on_block = |reason: Option<String>| {
                if let Some(why) = &reason {
                    warn!("the broker {address} is blocked: {why}; publishing waits");
                } else {
                    info!("the broker {address} is no longer blocked");
                }
                report.set(reason);
            };
            let why = watch_until_lost(&status, events, on_block).await;
            warn!("a publishing connection to {address} was lost: {why}");
        });
        Self {
            connection,
            channels: Channels::default(),
            _watch: watch,
        }
    }

    /// The shared channel, once open.
    pub(super) async fn opened(
        &self,
        channel: &SharedChannel,
        target: &PublishTarget,
    ) -> Result<Channel, BrokerFailure> {
        let opened = channel.get_or_try_init(|| self.open_channel(target)).await;
        opened.cloned()
    }

    /// Opens a channel that is not shared.
    pub(super) async fn open_channel(
        &self,
        target: &PublishTarget,
    ) -> Result<Channel, BrokerFailure> {
        channels::open(&self.connection, target).await
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connection.status().connected()
    }

    /// True if the broker takes no messages from the connection.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }
}

/// Creates connections of the pool, and checks them before each use.
#[derive(Debug)]
pub(super) struct PublishManager {
    pub(super) connector: BrokerConnector,
    pub(super) health: Arc<PublishHealth>,
}

impl Manager for PublishManager {
    type Type = PooledConnection;
    type Error = ConnectError;

    async fn create(&self) -> Result<PooledConnection, ConnectError> {
        let connection = self.connector.create().await?;
        let address = self.connector.address().clone();
        Ok(PooledConnection::new(
            connection,
            address,
            self.health.join(),
        ))
    }

    async fn recycle(
        &self,
        pooled: &mut PooledConnection,
        metrics: &Metrics,
    ) -> RecycleResult<ConnectError> {
        self.connector
            .recycle(&mut pooled.connection, metrics)
            .await
    }
}
