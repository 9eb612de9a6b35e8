//! Commands of a cluster: `publish`, `serve` and `probe`.

pub(crate) mod follow;
pub(crate) mod probe;
pub(crate) mod publish;
pub(crate) mod serve;
