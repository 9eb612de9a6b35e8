//! The memory of a datum: how much it takes of the worker, how its lack is told, and the next attempt.

mod demand;
mod larger_worker;
mod retry;
mod shortage;
#[cfg(test)]
mod simulation;
mod usage;

pub(super) use demand::{demand, expected_memory};
pub(super) use larger_worker::{check_room, leave_to_larger};
pub(super) use retry::{AfterShortage, MemoryTries};
pub(super) use shortage::{AttemptEnd, lacked_memory};
pub(super) use usage::{seconds, usage_of};
