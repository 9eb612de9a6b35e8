//! Commands about stored work: `verify` and `redo`.

pub(crate) mod redo;
pub(crate) mod verify;
