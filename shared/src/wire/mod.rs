//! Bytes between processes: what travels on which queue, and how it is told apart.
//!
//! Each message is JSON that begins with its `kind` and `version`. Unknown fields pass; unknown kinds and
//! versions are refused by name.

mod codec;
mod report;
mod task;

pub use codec::{decode, encode, Message, WireError};
pub use report::{Event, Report};
pub use task::Task;
