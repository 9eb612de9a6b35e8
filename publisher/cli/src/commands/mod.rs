//! The commands, a file each: resolve what is meant, do it, render the result.

mod cluster;
mod inspect;
mod pipelines;
mod run;
mod spec;

mod context;
mod dispatch;
mod error;

use context::Context;
pub use dispatch::{carry_out, refuse};
pub use error::CommandError;
