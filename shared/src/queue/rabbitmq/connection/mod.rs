//! Connections to the broker: the address, one attempt to connect, and a connection that is re-established when lost.

mod address;
mod broker_url;
mod connector;
mod endpoint;
mod endpoint_connector;
mod handshake;
mod reconnector;
mod watch;

pub use address::{Address, InvalidAddress};
pub use broker_url::BrokerUrl;

pub(super) use connector::BrokerConnector;
pub(super) use endpoint_connector::ConnectError;
pub(super) use reconnector::Connection;
pub(super) use watch::watch_until_lost;
