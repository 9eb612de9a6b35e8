//! The commands, a file each.

mod cluster;
mod inspect;
mod pipelines;
mod run;
mod spec;
mod store;

mod broker;
mod class;
mod context;
mod dispatch;
mod notify;
mod trial;
mod usage_error;

use context::Context;
pub use dispatch::{execute, refuse};
pub use spec::completions::answer_shell;
use usage_error::UsageError;
