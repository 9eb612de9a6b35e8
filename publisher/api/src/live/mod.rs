//! Live updates: the feed that looks for changes, and the event streams.

pub(crate) mod events;
pub(crate) mod feed;
