//! A control group for the processes of a slot, where the machine lets the worker make one: as root with a writable
//! `/sys/fs/cgroup`, or in a part of it that is delegated to the worker's user.
//!
//! The group limits the number of processes, measures and limits their memory, and ends all of them at once, faster than they
//! can fork. Both kinds of hierarchies are used: the unified one, and those of the first version for its controllers `pids` and
//! `memory`.

mod delegation;
mod files;
mod group;
mod hierarchies;
mod meter;
mod usage;

pub(in crate::runner) use group::{ControlGroup, enter, is_in_control_group, limit_processes};
pub(in crate::runner) use meter::GroupMeter;

pub(crate) use delegation::delegate_controllers;
pub(crate) use files::keyed_number;
pub(crate) use usage::GroupUsage;
