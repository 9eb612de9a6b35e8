//! Drover's queue on real `RabbitMQ` nodes: the behaviour of every broker, and what this one is put through.

mod alarm;
mod behaviour;
mod bench;
mod healing;
mod lone;
mod pool;
mod refusals;
mod tls;
