//! Publishing: persistent, mandatory, confirmed, and repeated until the broker has the message safe.
//!
//! Publishers share a [`pool`] of connections. Messages that are under way to one [`target`] share a connection, and on
//! it one of its [`channels`]; [`assignment`] decides which. A connection without messages under way is back in the
//! pool, which checks it before the next use and replaces a lost one. [`health`] is the state of all of them.

mod assignment;
mod channels;
mod health;
mod message_publisher;
mod pool;
mod pooled_connection;
mod target;

pub(super) use channels::declare_control;
pub(super) use message_publisher::{COPY, MessagePublisher, REASON};
pub(super) use pool::PublishPool;
pub(super) use target::PublishTarget;

pub use pool::PublishConnections;
