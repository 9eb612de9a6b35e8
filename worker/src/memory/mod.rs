//! Memory of commands: the memory of the machine, the memory that commands hold, and the end of a command in a shortage.

mod guard;
mod kernel_kills;
mod machine;
mod pressure;
mod tree;
mod watch;

pub(crate) use machine::MachineMemory;
pub(crate) use watch::{MemoryWatch, SeenMemory, WatchedRun};

/// The guard's decision, for simulations.
#[cfg(test)]
pub(crate) mod simulated {
    pub(crate) use super::guard::{Occupant, Room, excess, victim};
}
