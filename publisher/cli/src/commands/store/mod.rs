//! Commands about stored work: `verify`, `redo`, `gc` and `du`.

pub(crate) mod du;
pub(crate) mod gc;
pub(crate) mod redo;
pub(crate) mod verify;
