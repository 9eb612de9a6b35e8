//! Connects to a broker: one attempt at a time, each with a time limit.

use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleResult};
use lapin::tcp::AMQPUriTcpExt;
use lapin::{Connect, ConnectionProperties, ErrorKind};
use tokio::time::timeout;

use super::address::Address;
use super::handshake;
use crate::queue::rabbitmq::error::BrokerFailure;
use crate::queue::rabbitmq::preflight::Version;

/// Time limit of an attempt, from the DNS look-up to the opened vhost.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Connects to one address: deadpool-lapin's manager with support for certificates and a time limit.
pub(in crate::queue::rabbitmq) struct BrokerConnector {
    address: Address,
    name: String,
    plain: deadpool_lapin::Manager,
}

/// Reason for a failed attempt.
#[derive(Clone, Debug, thiserror::Error)]
pub(in crate::queue::rabbitmq) enum ConnectError {
    /// A retry may succeed.
    #[error("{0}")]
    Transient(String),
    /// The broker will refuse again.
    #[error("{0}")]
    Refused(String),
}

impl BrokerConnector {
    /// `name` is the connection name shown by the broker.
    pub(in crate::queue::rabbitmq) fn new(address: Address, name: String) -> Self {
        let properties = {
            let name = name.clone();
            move || properties(&name)
        };
        let runtime = lapin::runtime::default_runtime().expect("lapin is built for tokio");
        let plain = deadpool_lapin::Manager::new(address.url(), properties, runtime);
        Self {
            address,
            name,
            plain,
        }
    }

    /// Address of the broker.
    pub(in crate::queue::rabbitmq) fn address(&self) -> &Address {
        &self.address
    }

    /// Reads the broker's version from the greeting, on a connection of its own: lapin does not expose the greeting.
    pub(in crate::queue::rabbitmq) async fn version(&self) -> Result<Version, ConnectError> {
        timeout(ATTEMPT, self.read_version())
            .await
            .unwrap_or_else(|_| Err(ConnectError::Transient("no greeting".to_owned())))
    }

    async fn read_version(&self) -> Result<Version, ConnectError> {
        let passing = |error: std::io::Error| ConnectError::Transient(error.to_string());
        let certificates = self.address.certificates().map_err(ConnectError::Refused)?;
        let certificates = certificates.unwrap_or_default();
        let runtime = lapin::runtime::default_runtime().expect("lapin is built for tokio");
        let uri = self.address.uri();
        let mut stream = uri
            .connect_with_config_async(certificates.as_ref(), &runtime)
            .await
            .map_err(passing)?;
        handshake::version(&mut stream).await.map_err(passing)
    }

    async fn connect_unlimited(&self) -> lapin::Result<lapin::Connection> {
        let unreadable = |why| lapin::Error::from(ErrorKind::AuthProviderError(why));
        let Some(certificates) = self.address.certificates().map_err(unreadable)? else {
            return self.plain.create().await;
        };
        let uri = self.address.uri().clone();
        let runtime = lapin::runtime::default_runtime()?;
        uri.connect_with_config(properties(&self.name), certificates, runtime)
            .await
    }
}

impl Manager for BrokerConnector {
    type Type = lapin::Connection;
    type Error = ConnectError;

    /// Makes one attempt to connect.
    async fn create(&self) -> Result<lapin::Connection, ConnectError> {
        match timeout(ATTEMPT, self.connect_unlimited()).await {
            Ok(attempted) => attempted.map_err(|error| ConnectError::from(&error)),
            Err(_) => Err(ConnectError::Transient(format!(
                "no answer within {} s",
                ATTEMPT.as_secs()
            ))),
        }
    }

    async fn recycle(
        &self,
        connection: &mut lapin::Connection,
        metrics: &Metrics,
    ) -> RecycleResult<ConnectError> {
        let recycled = self.plain.recycle(connection, metrics).await;
        recycled.map_err(|error| ConnectError::Transient(error.to_string()).into())
    }
}

impl From<&lapin::Error> for ConnectError {
    fn from(error: &lapin::Error) -> Self {
        match BrokerFailure::from(error) {
            BrokerFailure::Refused(why) => Self::Refused(why),
            BrokerFailure::Transient(why) => Self::Transient(why),
            BrokerFailure::QueueMissing => Self::Transient(error.to_string()),
        }
    }
}

fn properties(name: &str) -> ConnectionProperties {
    ConnectionProperties::default().with_connection_name(name.into())
}

impl std::fmt::Debug for BrokerConnector {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // deadpool-lapin's manager would show the password.
        write!(out, "BrokerConnector({}, {})", self.address, self.name)
    }
}
