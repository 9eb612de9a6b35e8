//! How far the writing of an output folder is.

/// How far the output folder is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FileProgress {
    /// Files that are as they should be.
    pub done: u64,
    /// All files to be changed.
    pub total: u64,
}
