//! Watches the messages of a running job, and publishes lost messages again.

pub(crate) mod inquiry;
pub(crate) mod missing;
pub(crate) mod watch;
