//! Connects to one host of a broker: one attempt at a time, each with a time limit.

use std::io;
use std::time::Duration;

use deadpool::managed::Manager as _;
use lapin::tcp::AMQPUriTcpExt;
use lapin::uri::AMQPScheme;
use lapin::{Connect, ConnectionProperties, ErrorKind};
use tokio::time::timeout;

use super::endpoint::Endpoint;
use super::handshake;
use crate::queue::rabbitmq::error::BrokerFailure;
use crate::queue::rabbitmq::preflight::Version;

/// Time limit of an attempt, from the DNS look-up to the opened vhost.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Connects to one host: deadpool-lapin's manager with support for certificates and a time limit.
pub(super) struct EndpointConnector {
    endpoint: Endpoint,
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

impl EndpointConnector {
    /// `name` is the connection name shown by the broker.
    pub(in crate::queue::rabbitmq) fn new(endpoint: Endpoint, name: String) -> Self {
        let properties = {
            let name = name.clone();
            move || properties(&name)
        };
        let runtime = lapin::runtime::default_runtime().expect("lapin is built for tokio");
        let plain = deadpool_lapin::Manager::new(endpoint.url(), properties, runtime);
        Self {
            endpoint,
            name,
            plain,
        }
    }

    /// Address of the host.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Reads the broker's version from the greeting, on a connection of its own: lapin does not expose the greeting.
    pub(in crate::queue::rabbitmq) async fn version(&self) -> Result<Version, ConnectError> {
        timeout(ATTEMPT, self.read_version())
            .await
            .unwrap_or_else(|_| Err(ConnectError::Transient("no greeting".to_owned())))
    }

    async fn read_version(&self) -> Result<Version, ConnectError> {
        let passing = |error: std::io::Error| ConnectError::Transient(error.to_string());
        let certificates = self
            .endpoint
            .certificates()
            .map_err(ConnectError::Refused)?;
        let certificates = certificates.unwrap_or_default();
        let runtime = lapin::runtime::default_runtime().expect("lapin is built for tokio");
        let uri = self.endpoint.uri();
        let mut stream = uri
            .connect_with_config_async(certificates.as_ref(), &runtime)
            .await
            .map_err(passing)?;
        handshake::version(&mut stream).await.map_err(passing)
    }

    /// Makes one attempt to connect.
    pub(super) async fn connect(&self) -> Result<lapin::Connection, ConnectError> {
        match timeout(ATTEMPT, self.connect_unlimited()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(self.explain(&error).await),
            Err(_) => Err(ConnectError::Transient(format!(
                "no answer within {} s",
                ATTEMPT.as_secs()
            ))),
        }
    }

    /// The failure, with a look at the port if a plain connection broke off: a TLS port answers with an alert.
    async fn explain(&self, error: &lapin::Error) -> ConnectError {
        let failure = ConnectError::from(error);
        let uri = self.endpoint.uri();
        let is_plain = uri.scheme == AMQPScheme::AMQP;
        let is_silent = matches!(error.kind(), ErrorKind::IOError(error) if error.kind() == io::ErrorKind::ConnectionRefused);
        if !is_plain || is_silent {
            return failure;
        }
        let (host, port) = (&uri.authority.host, uri.authority.port);
        if handshake::speaks_tls(host, port).await {
            let advice = "the port speaks TLS: write amqps:// in place of amqp://, or give the port without TLS (5672)";
            return ConnectError::Refused(advice.to_owned());
        }
        failure
    }

    async fn connect_unlimited(&self) -> lapin::Result<lapin::Connection> {
        let unreadable = |why| lapin::Error::from(ErrorKind::AuthProviderError(why));
        let Some(certificates) = self.endpoint.certificates().map_err(unreadable)? else {
            return self.plain.create().await;
        };
        let uri = self.endpoint.uri().clone();
        let runtime = lapin::runtime::default_runtime()?;
        uri.connect_with_config(properties(&self.name), certificates, runtime)
            .await
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

impl std::fmt::Debug for EndpointConnector {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // deadpool-lapin's manager would show the password.
        write!(out, "EndpointConnector({}, {})", self.endpoint, self.name)
    }
}
