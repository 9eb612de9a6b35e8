//! The places where commands run, and their common directory.

mod pool;
mod scratch;

pub(crate) use pool::{SlotLease, SlotShare, Slots};
pub(crate) use scratch::Scratch;
pub use scratch::scratch_for;
