//! Connections to the broker: the address, one attempt to connect, and a connection that is re-established when lost.

mod address;
mod broker_url;
mod connector;
mod endpoint;
mod endpoint_connector;
mod handshake;
mod invalid_address;
mod reconnector;
mod watch;

pub use address::Address;
pub use broker_url::BrokerUrl;
pub use invalid_address::InvalidAddress;

pub(super) use connector::BrokerConnector;
pub(super) use endpoint_connector::ConnectError;
pub(super) use reconnector::Connection;
pub(super) use watch::watch_until_lost;
