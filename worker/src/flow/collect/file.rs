//! The files of an output, before they are moved out of the slot.

use std::path::PathBuf;

/// One file of the output.
#[derive(Debug)]
pub(super) struct OutputFile {
    pub(super) path: String,
    pub(super) source: OutputSource,
}

/// Where the content of an output file lies.
#[derive(Debug)]
pub(super) enum OutputSource {
    /// The file lies in the output directory.
    Out,
    /// A link in the output directory leads to the file of the machine.
    Linked(PathBuf),
    /// A link in the output directory leads to an input that is shown as an empty file; the file has the content.
    Hidden(PathBuf),
}
