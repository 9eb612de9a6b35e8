//! Takes datums from the queue, one journey each: stage, execute, upload, commit, settle.
//!
//! Modules in reading order: a worker is [told](Settings) what it needs, takes messages as claims, and brings each
//! datum through the flow with the tools below. The last ones make a process of it, `drover-worker`: what was
//! [typed](args) becomes a [request], which a [service] carries out; or it was a [subcommand].

mod config;
mod error;
mod worker;

mod intake;
mod prefetch;

mod claim;
mod flow;
mod in_hand;

mod control;
mod phase;

mod cancellations;
mod job;
mod metrics;
mod patience;
mod reporter;
mod scratch;
mod slots;
mod tools;

pub mod runner;

pub mod args;
mod connect;
pub mod exit;
pub mod hardening;
mod health;
pub mod init;
pub mod request;
pub mod service;
pub mod subcommand;

pub use cancellations::Cancellations;
pub use config::{Settings, inheritable};
pub use error::WorkError;
pub use phase::{Phase, WorkerPhase};
pub use scratch::scratch_for;
pub use worker::work;
