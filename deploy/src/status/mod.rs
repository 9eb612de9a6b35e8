//! What people are told: conditions and events in words, made by pure functions of what was seen and decided.

mod conditions;
mod diagnosis;
mod news;
mod tell;

pub use conditions::{ACCEPTED, BROKER_REACHABLE, READY, REGISTERED};
pub use news::{News, news};
pub use tell::{Facts, Refusal, Seen, tell};
