//! Commands about the content of the store: `put`, `verify`, `redo`, `gc` and `du`; and the limits of a store.

mod archive;
pub(crate) mod du;
pub(crate) mod gc;
pub(crate) mod limits;
pub(crate) mod put;
pub(crate) mod redo;
pub(crate) mod verify;
