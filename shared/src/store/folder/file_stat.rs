//! Attributes that identify the bytes of a file without reading the file.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use crate::store::Entry;

/// Inode, times and size: as long as all of them stay, so do the bytes. A user can set the modification time, but
/// not the change time, which the kernel sets at every write, rename and change of attributes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct FileStat {
    pub(super) inode: u64,
    pub(super) modified_ns: i64,
    pub(super) changed_ns: i64,
    pub(super) size: u64,
}

impl FileStat {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.size(),
        }
    }

    /// The entry of the file at `path`.
    pub(super) fn entry(self, path: String) -> Entry {
        Entry {
            path,
            size: self.size,
            version: self.version(),
        }
    }

    fn version(self) -> String {
        format!(
            "{:x}-{:x}-{:x}-{:x}",
            self.inode, self.modified_ns, self.size, self.changed_ns
        )
    }
}

/// Device and attributes of a file, to notice within one process that the file was changed or replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileAttributes {
    device: u64,
    stat: FileStat,
}

impl FileAttributes {
    /// The attributes in `metadata`.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            stat: FileStat::of(metadata),
        }
    }

    /// True if both belong to one file: a mount of the file still shows the file.
    pub fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.stat.inode) == (other.device, other.stat.inode)
    }

    /// Time of the last change, in nanoseconds since 1970.
    pub fn changed_ns(&self) -> i64 {
        self.stat.changed_ns
    }
}

/// The [`Entry::version`] of a file in a folder store.
pub fn file_version(metadata: &Metadata) -> String {
    FileStat::of(metadata).version()
}

/// Nanoseconds since 1970; far-off times saturate.
pub(super) fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}
