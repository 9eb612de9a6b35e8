//! Jobs: their records, specs and submissions, and how people refer to them.

mod expiry;
mod history;
mod job_key;
mod keys;
mod protection;
mod record;
mod reference;
mod submission;

pub use reference::ReferenceError;
pub use submission::{Scope, Submission};
