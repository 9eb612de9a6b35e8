//! Consumers, which survive a lost channel or connection.

mod claim;
mod health;
mod rabbit_consumer;
mod subscription;

pub(super) use health::ConsumerHealthRegistry;
pub(super) use rabbit_consumer::{ConsumerContext, RabbitConsumer};
pub(super) use subscription::Subscription;
