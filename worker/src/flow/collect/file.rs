//! The files of an output before they are taken out of the slot.

use std::path::PathBuf;

/// One file of the output.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: String,
    pub(super) origin: Origin,
}

#[derive(Debug)]
pub(super) enum Origin {
    /// It lies there itself.
    Out,
    /// A link leads to this file of this machine.
    Linked(PathBuf),
}
