//! The queue between publisher, workers and coordinator: one trait, two implementations, one behaviour suite.
//!
//! [`Embedded`] lives in this process, for `drover run`; `RabbitMQ`'s implementation passes the same `suite`.
//! No implementation knows what a message means.

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
