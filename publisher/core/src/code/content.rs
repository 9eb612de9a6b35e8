//! Hashes of code files, remembered by the current process.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use drover_shared::datum::{ContentTag, content_hash};
use jiff::Timestamp;

/// Age in seconds below which a changed file may change again with the same attributes.
const CLOCK_GRAIN_S: i64 = 2;

/// Attributes that change with the content.
#[derive(Clone, Copy, Eq, PartialEq)]
struct FileAttributes {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileAttributes {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// True if a later change must change the attributes.
    fn is_settled(self) -> bool {
        let settled = Timestamp::now().as_second().saturating_sub(CLOCK_GRAIN_S);
        self.changed.0 < settled
    }
}

/// The hash of a file's bytes. An unchanged file is read once in the life of the process.
pub(super) fn tag(path: &Path) -> io::Result<ContentTag> {
    static KNOWN: LazyLock<Mutex<HashMap<PathBuf, (FileAttributes, ContentTag)>>> =
        LazyLock::new(Mutex::default);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let file = File::open(path)?;
    let attributes = FileAttributes::of(&file.metadata()?);
    if let Some((then, tag)) = known().get(path)
        && *then == attributes
    {
        return Ok(tag.clone());
    }
    let is_settled = attributes.is_settled();
    let tag = ContentTag::new(content_hash(file)?);
    if is_settled {
        known().insert(path.to_owned(), (attributes, tag.clone()));
    }
    Ok(tag)
}
