//! Hashes of code files, remembered by the current process.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use drover_shared::datum::{ContentTag, content_hash};
use drover_shared::store::FileAttributes;
use jiff::{SignedDuration, Timestamp};

/// Age below which a changed file may change again with the same attributes.
const CLOCK_GRAIN: SignedDuration = SignedDuration::from_secs(2);

/// Files remembered; beyond this number all are forgotten, and read again.
const REMEMBERED: usize = 16_384;

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
    let is_settled = is_settled(&attributes);
    let tag = ContentTag::new(content_hash(file)?);
    if is_settled {
        let mut known = known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(path.to_owned(), (attributes, tag.clone()));
    }
    Ok(tag)
}

/// True if a later change must change the attributes.
fn is_settled(attributes: &FileAttributes) -> bool {
    let settled = (Timestamp::now() - CLOCK_GRAIN).as_nanosecond();
    i128::from(attributes.changed_ns()) < settled
}
