//! Takes datums from the queue, one journey each: stage, execute, upload, commit, settle.
//!
//! Modules in reading order: a worker is [told](Settings) what it needs, takes messages as claims, and brings each
//! datum through the flow with the tools below.

mod config;
mod error;
mod worker;

mod claim;
mod flow;
mod in_hand;

mod control;
mod standing;

mod job;
pub mod metrics;
mod patience;
mod scratch;
mod slots;
mod stops;
mod tools;

pub mod runner;

pub use config::{Settings, inheritable};
pub use error::WorkError;
pub use standing::{Phase, Standing};
pub use stops::Stops;
pub use worker::work;
