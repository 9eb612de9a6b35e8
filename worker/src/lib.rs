//! Takes datums from the queue, one journey each: stage, execute, upload, commit, settle.

mod config;
mod error;
mod stops;
mod worker;

pub mod runner;

pub use config::{Settings, inheritable};
pub use error::WorkError;
pub use stops::Stops;
pub use worker::work;
