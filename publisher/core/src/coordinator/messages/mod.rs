//! Watches the messages of a running job, and publishes again what neither the queue nor a worker has any more.

pub(crate) mod inquiry;
pub(crate) mod missing;
pub(crate) mod watch;
