//! Takes datums from a queue and brings each to its verdict: stage, execute, upload, commit, settle.
//!
//! Modules in reading order: `consume` takes messages from the queues and settles them; `flow` brings each datum to its
//! verdict, with the help of `jobs`, `slots` and the [runner]; [`process`] is the binary around the worker.

mod config;
mod error;
mod flow_error;
mod phase;

mod consume;
mod flow;

mod cache;
mod context;
mod jobs;
mod memory;
mod metrics;
mod pace;
mod reporter;
mod retry_budget;
mod roster;
mod slots;
mod weights;

pub mod process;
pub mod runner;

pub use config::{Settings, inheritable, one_slot_a_cpu};
pub use consume::{PipelineChoice, PipelineSelection, work};
pub use error::WorkError;
pub use jobs::Cancellations;
pub use phase::{Phase, WorkerPhase, WorkerProtection};
pub use slots::scratch_for;
