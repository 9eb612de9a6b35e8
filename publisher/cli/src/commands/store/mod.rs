//! Commands about the content of the store: `put`, `verify`, `redo`, `gc` and `du`; and what the pipelines of a store share.

mod archive;
mod change_note;
pub(crate) mod du;
pub(crate) mod gc;
pub(crate) mod limits;
pub(crate) mod put;
pub(crate) mod redo;
pub(crate) mod share;
pub(crate) mod verify;
pub(crate) mod workers;
