//! Memory of commands: how much there is, how much they hold, and the end of one when there is too little.

mod guard;
mod kernel_kills;
mod machine;
mod tree;
mod watch;

#[cfg(test)]
pub(crate) use watch::Shortage;

/// The guard's decision, for simulations.
#[cfg(test)]
pub(crate) mod simulated {
    pub(crate) use super::guard::{Occupant, Room, excess, victim};
}

pub(crate) use machine::MachineMemory;
pub(crate) use watch::{MemoryWatch, SeenMemory, WatchedRun};
