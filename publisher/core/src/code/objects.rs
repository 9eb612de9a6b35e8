//! Code files that are objects of a bucket.

use drover_shared::datum::ContentTag;
use drover_shared::store::{Store, StoreError, StoreKey, layout};
use tokio::runtime::Handle;

use super::entry::{CodeEntry, MOST};
use super::error::CodeError;

/// The objects of an entry, with their names: an object, all objects below a directory, or all matches of a glob. A name
/// is the key of the object. Blocking, on a thread of the runtime.
pub(super) fn entry_objects(
    text: &str,
    bucket: &Store,
) -> Result<Vec<(String, ContentTag)>, CodeError> {
    let failed = |source| CodeError::Object {
        entry: text.to_owned(),
        source,
    };
    let path = text.strip_prefix("./").unwrap_or(text);
    let path = path.trim_end_matches('/');
    let Some(key) = key_of(path) else {
        return Ok(Vec::new());
    };
    match Handle::current().block_on(bucket.entry(&key)) {
        Ok(object) => {
            let tag = ContentTag::new(object.version);
            return Ok(vec![(path.to_owned(), tag)]);
        }
        Err(StoreError::Missing { .. }) => {}
        Err(source) => return Err(failed(source)),
    }
    let below = objects_below(&CodeEntry::directory(path), bucket)?;
    if !below.is_empty() {
        return Ok(below);
    }
    CodeEntry::glob(path).map_or(Ok(Vec::new()), |entry| objects_below(&entry, bucket))
}

/// The key that a relative path names; none outside the bucket and in Drover's own folder.
fn key_of(path: &str) -> Option<StoreKey> {
    let key = StoreKey::parse(path).ok()?;
    let is_foreign = !path.starts_with('/') && key.top() != layout::DROVER_FOLDER;
    (is_foreign && !key.is_root()).then_some(key)
}

/// Objects below the directory of an entry, by their keys.
fn objects_below(
    entry: &CodeEntry<'_>,
    bucket: &Store,
) -> Result<Vec<(String, ContentTag)>, CodeError> {
    let failed = |source| CodeError::Object {
        entry: entry.text.to_owned(),
        source,
    };
    let directory = StoreKey::parse(entry.directory).map_err(failed)?;
    let mut walk = bucket.walk(&directory).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(object) = walk.next() {
        let object = match object {
            Err(StoreError::Irregular { path, .. })
                if !entry.contains(&below(&path, &directory)) =>
            {
                continue;
            }
            object => object.map_err(failed)?,
        };
        if !entry.contains(&object.path) {
            continue;
        }
        if found.len() == MOST {
            return Err(CodeError::TooMany {
                entry: entry.text.to_owned(),
                most: MOST,
            });
        }
        let tag = walk.tag(&object).map_err(failed)?;
        found.push((entry.name_of(&object.path), tag));
    }
    Ok(found)
}

/// The path of a key below a directory, with a slash at the beginning.
fn below(key: &str, directory: &StoreKey) -> String {
    let path = key.strip_prefix(directory.as_str()).unwrap_or(key);
    format!("/{}", path.trim_start_matches('/'))
}
