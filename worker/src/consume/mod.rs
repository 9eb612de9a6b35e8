//! From a queue to the flow: subscriptions, the messages that they deliver, and how each message is settled.

mod control;
mod message;
mod pass_on;
mod prefetch;
mod presence;
mod roster_keeper;
mod selection;
mod subscription;
mod trust;
mod worker;

pub(crate) use prefetch::FURTHER;
pub use selection::{PipelineChoice, PipelineSelection};
pub use worker::work;
