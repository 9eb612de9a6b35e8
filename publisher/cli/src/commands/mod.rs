//! The commands, a file each.

mod cluster;
mod inspect;
mod pipelines;
mod run;
mod spec;
mod store;

mod context;
mod dispatch;
mod error;

use context::Context;
pub use dispatch::{execute, refuse};
pub use error::CommandError;
