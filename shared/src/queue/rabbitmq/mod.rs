//! The queue on `RabbitMQ`, 3.10 and later, over lapin.
//!
//! [`topology`] describes the queues and the exchange as data; [`preflight`](mod@preflight) says what to know about a
//! broker before work starts. The [`connection`] room holds addresses and connections that are re-established. A client
//! has one to consume and a pool of others to publish: during an alarm the broker reads nothing from a connection that
//! has published, acks included. [`publisher`] publishes with confirms, [`consumer`] consumes, [`operation`] runs
//! short operations such as a declaration. [`error`] classifies lapin's errors, [`retry`] delays the next attempt, and
//! [`liveness`] bounds every wait for lapin.
//!
//! lapin's own recovery is off. Recovery covers lost connections only: channels that the broker closed (consumer
//! timeout, refused operation), cancelled consumers and the queues of listeners have to be rebuilt here anyway, and with
//! recovery on, a consumer whose channel was closed waits for ever instead of ending. So one procedure covers every
//! case: drop the old channel and subscribe again on a fresh channel of the current connection. The claims of the old
//! channel are lost with it, and report so.
//!
//! The room knows no message's meaning. Its only tasks are one for each connection; they end with the connection.

mod client;
mod connection;
mod consumer;
mod error;
mod liveness;
mod operation;
mod preflight;
mod publisher;
mod retry;
mod topology;

pub use self::client::{ConnectOptions, RabbitMq};
pub use self::connection::{Address, BrokerUrl, InvalidAddress};
pub use self::preflight::{Advice, InvalidVersion, Version, preflight};
pub use self::publisher::PublishConnections;
