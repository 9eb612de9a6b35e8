//! The slots of a worker, their directories, and the admission of datums to them.

mod admission;
mod devices;
mod fair_order;
mod packing;
mod pool;
mod scratch;
mod scratch_limit;

pub(crate) use admission::SlotLoad;
pub(crate) use devices::VISIBLE_DEVICES;
pub(crate) use packing::Demand;

pub(crate) use pool::{SeenRun, SlotLease, SlotShare, Slots};
pub(crate) use scratch::Scratch;
pub use scratch::scratch_for;

/// The decision of admission, for simulations.
#[cfg(test)]
pub(crate) mod simulated {
    pub(crate) use super::packing::{Waiting, take_next};
}
