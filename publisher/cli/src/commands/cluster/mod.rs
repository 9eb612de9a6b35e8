//! Commands of a cluster: `publish`, `serve` and `probe`, and the connection to the broker.

pub(crate) mod broker;
pub(crate) mod follow;
pub(crate) mod probe;
pub(crate) mod publish;
pub(crate) mod serve;
