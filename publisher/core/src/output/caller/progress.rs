//! Progress of a publication.

/// Progress of a publication.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FileProgress {
    /// Files changed so far.
    pub done: u64,
    /// All files to be changed.
    pub total: u64,
}
