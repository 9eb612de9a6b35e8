//! Bytes between processes: what travels on which queue, and how it is told apart.
//!
//! Each message is JSON that begins with its `kind` and `version`. Unknown fields pass; unknown kinds and
//! versions are refused by name.

mod codec;

mod control;
mod leader_token;
mod report;
mod task;

pub use codec::{Message, SIZE_LIMIT, WireError, decode, encode};
pub use control::Control;
pub use leader_token::LeaderToken;
pub use report::{Event, Report};
pub use task::{ManifestRange, Task, TaskDatums, Trace};
