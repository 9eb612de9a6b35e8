//! The queue between publisher, workers and coordinator: one trait, two implementations, one conformance suite.
//!
//! [`Embedded`] lives inside the process, for `drover run`; [`RabbitMq`] passes the same suite. No implementation
//! knows the meaning of a message.

mod broker;
mod delivery;
mod embedded;
pub mod rabbitmq;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use broker::{Broker, Consumer, Depth, Link, Queue, QueueError};
pub use delivery::{Delivery, Settle};
pub use embedded::Embedded;
pub use rabbitmq::RabbitMq;
