//! Removal of files below a folder of the store, in batches.

use std::panic::resume_unwind;
use std::sync::Arc;

use drover_shared::store::{Entry, Store, StoreError, StoreKey};
use tokio::task::spawn_blocking;

use super::file_kind::{Space, SpaceByKind, kind_in_job};

/// Files removed at once.
const BATCH: usize = 1024;

/// Decides by the path relative to the folder.
pub(super) type Removable = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Removable files below a folder, and their space.
#[derive(Default)]
struct RemovalBatch {
    keys: Vec<StoreKey>,
    space: SpaceByKind,
}

/// Removes the `removable` files of a job below `folder`, and adds their space to `removed`; a dry run only adds. `base`
/// is the path of the folder within the job.
pub(super) async fn remove(
    store: &Store,
    (folder, base): (&StoreKey, &'static str),
    removable: Removable,
    dry_run: bool,
    removed: &mut SpaceByKind,
) -> Result<(), StoreError> {
    loop {
        let (store, folder, removable) = (store.clone(), folder.clone(), Arc::clone(&removable));
        let walked = store.clone();
        let finding = spawn_blocking(move || find(&walked, &folder, base, &*removable, dry_run));
        let batch = finding
            .await
            .unwrap_or_else(|error| resume_unwind(error.into_panic()))?;
        for (kind, space) in batch.space {
            *removed.entry(kind).or_default() += space;
        }
        let is_last = batch.keys.len() < BATCH;
        store.delete_each(batch.keys).await?;
        if is_last {
            return Ok(());
        }
    }
}

/// The next batch of removable files; a dry run finds all files, without keys. Blocking.
fn find(
    store: &Store,
    folder: &StoreKey,
    base: &str,
    removable: &dyn Fn(&str) -> bool,
    dry_run: bool,
) -> Result<RemovalBatch, StoreError> {
    let mut batch = RemovalBatch::default();
    for file in files(store, folder)? {
        let file = file?;
        let path = file.path.trim_start_matches('/');
        if !removable(path) {
            continue;
        }
        let kind = kind_in_job(&format!("{base}{path}"));
        *batch.space.entry(kind).or_default() += Space {
            files: 1,
            bytes: file.size,
        };
        if !dry_run {
            batch.keys.push(folder.join(path)?);
        }
        if batch.keys.len() == BATCH {
            break;
        }
    }
    Ok(batch)
}

/// The regular files below a folder; none if the folder does not exist. Blocking.
pub(super) fn files(
    store: &Store,
    folder: &StoreKey,
) -> Result<impl Iterator<Item = Result<Entry, StoreError>>, StoreError> {
    let walk = match store.walk(folder) {
        Ok(walk) => Some(walk),
        Err(StoreError::Missing { .. }) => None,
        Err(error) => return Err(error),
    };
    // A foreign link or device stays.
    let is_ours =
        |file: &Result<Entry, StoreError>| !matches!(file, Err(StoreError::Irregular { .. }));
    Ok(walk.into_iter().flatten().filter(is_ours))
}
