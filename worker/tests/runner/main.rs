//! The promises of the runner, over real processes in real sandboxes.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod batch;
mod commands;
mod cost;
mod ending;
mod harm;
mod hostile;
mod inputs;
mod logs;
mod slot;
mod start;
mod usage;
