//! Connects to a broker: one attempt at a time, each with a time limit.

use std::time::Duration;

use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, RecycleResult};
use deadpool_lapin::Runtime;
use lapin::tcp::AMQPUriTcpExt;
use lapin::{Connect, ConnectionProperties, ErrorKind};

use super::address::Address;
use super::handshake;
use crate::queue::rabbitmq::error::BrokerFailure;
use crate::queue::rabbitmq::preflight::Version;

/// Time limit of an attempt, from the DNS look-up to the opened vhost.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Connects to one address.
///
/// The pool prevents overlapping attempts and limits their time. A connection leaves the pool at once, so holders
/// of a broken connection do not block the next attempt.
#[derive(Debug)]
pub(in crate::queue::rabbitmq) struct BrokerConnector {
    pool: Pool<ConnectionManager>,
}

/// Reason for a failed attempt.
#[derive(Clone, Debug)]
pub(in crate::queue::rabbitmq) enum ConnectError {
    /// A retry may succeed.
    Transient(String),
    /// The broker will refuse again.
    Refused(String),
}

impl BrokerConnector {
    /// `name` is the connection name shown by the broker.
    pub(in crate::queue::rabbitmq) fn new(address: Address, name: String) -> Self {
        let pool = Pool::builder(ConnectionManager::new(address, name))
            .max_size(1)
            .create_timeout(Some(ATTEMPT))
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a pool with a runtime can have time limits");
        Self { pool }
    }

    /// Address of the broker.
    pub(in crate::queue::rabbitmq) fn address(&self) -> &Address {
        &self.pool.manager().address
    }

    /// Makes one attempt to connect.
    pub(in crate::queue::rabbitmq) async fn connect(
        &self,
    ) -> Result<lapin::Connection, ConnectError> {
        match self.pool.get().await {
            Ok(connection) => Ok(Object::take(connection)),
            Err(PoolError::Backend(error)) => Err(ConnectError::from(&error)),
            Err(PoolError::Timeout(_)) => Err(ConnectError::Transient(format!(
                "no answer within {} s",
                ATTEMPT.as_secs()
            ))),
            Err(other) => Err(ConnectError::Transient(other.to_string())),
        }
    }

    /// Reads the broker's version from the greeting, on a connection of its own: lapin does not expose the greeting.
    pub(in crate::queue::rabbitmq) async fn version(&self) -> Result<Version, ConnectError> {
        tokio::time::timeout(ATTEMPT, self.pool.manager().read_version())
            .await
            .unwrap_or_else(|_| Err(ConnectError::Transient("no greeting".to_owned())))
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

/// deadpool-lapin's manager with support for certificates.
struct ConnectionManager {
    address: Address,
    name: String,
    plain: deadpool_lapin::Manager,
}

impl ConnectionManager {
    fn new(address: Address, name: String) -> Self {
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
}

fn properties(name: &str) -> ConnectionProperties {
    ConnectionProperties::default().with_connection_name(name.into())
}

impl std::fmt::Debug for ConnectionManager {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // deadpool-lapin's manager would show the password.
        write!(out, "ConnectionManager({}, {})", self.address, self.name)
    }
}

impl Manager for ConnectionManager {
    type Type = lapin::Connection;
    type Error = lapin::Error;

    async fn create(&self) -> Result<lapin::Connection, lapin::Error> {
        let unreadable = |why| lapin::Error::from(ErrorKind::AuthProviderError(why));
        let Some(certificates) = self.address.certificates().map_err(unreadable)? else {
            return self.plain.create().await;
        };
        let uri = self.address.uri().clone();
        let runtime = lapin::runtime::default_runtime()?;
        uri.connect_with_config(properties(&self.name), certificates, runtime)
            .await
    }

    async fn recycle(
        &self,
        connection: &mut lapin::Connection,
        metrics: &Metrics,
    ) -> RecycleResult<lapin::Error> {
        self.plain.recycle(connection, metrics).await
    }
}
