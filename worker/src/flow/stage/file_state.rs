//! The state of input files, to notice a change while the datum runs.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Identity, size and times of a file. Every change of the content changes the last of the times, which no command can set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct FileState {
    identity: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileState {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            identity: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// True if both are states of one file: a mount of the file still shows it.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}
