//! Drover's queue on real `RabbitMQ` nodes: the behaviour of every broker, and what this one is put through.

mod behaviour;
mod bench;
