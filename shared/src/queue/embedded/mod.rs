//! The queue inside one process: no task, no thread, no copy of a body.
//!
//! A message is either ready, in the queue's [`backlog`] in the order of publishing, or unsettled, with exactly one
//! [`consumer`]. Every change moves a message between the two under a short lock.

mod backlog;
mod broker;
mod consumer;
mod consumer_order;

#[cfg(test)]
mod tests;

pub use broker::Embedded;
