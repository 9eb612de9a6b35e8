//! Messages between processes: their queues and their encoding.
//!
//! Each message is JSON that begins with `kind` and `version`. Unknown fields are ignored; unknown kinds and versions
//! are refused by name. A message about a job carries an authentication code by the key of the job.

mod authentication;
mod codec;

mod control;
mod leader_token;
mod rejection;
mod report;
mod task;

pub use authentication::{Authenticity, authenticity, encode_for};
pub use codec::{Message, SIZE_LIMIT, WireError, decode, encode};
pub use control::Control;
pub use leader_token::LeaderToken;
pub use rejection::Rejection;
pub use report::{Event, Report};
pub use task::{ManifestRange, Task, TaskDatums, Trace};
