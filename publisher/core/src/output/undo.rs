//! Backups of changed files, so an interrupted publication leaves the output folder as it was.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use drover_shared::id::PipelineName;
use drover_shared::store::{Store, StoreError, StoreKey, layout};

/// Changes of one publication. Only a folder has backups, where a backup is a second link to the file; a bucket would
/// need a copy of every object.
pub(super) struct UndoLog<'a> {
    store: &'a Store,
    /// Prefix of the backups; none on a bucket.
    prefix: Option<StoreKey>,
    next: AtomicU64,
    changes: Mutex<Vec<Change>>,
}

/// A changed key, and the backup of its former content if it had any.
struct Change {
    key: StoreKey,
    backup: Option<StoreKey>,
}

impl<'a> UndoLog<'a> {
    /// A log without backups: changes stay.
    pub(super) fn disabled(store: &'a Store) -> Self {
        Self {
            store,
            prefix: None,
            next: AtomicU64::new(0),
            changes: Mutex::default(),
        }
    }

    /// True if changes can be taken back.
    pub(super) fn is_enabled(&self) -> bool {
        self.prefix.is_some()
    }

    /// An empty log. Backups of an earlier process are removed.
    pub(super) async fn start(
        store: &'a Store,
        pipeline: &PipelineName,
    ) -> Result<Self, StoreError> {
        let mut log = Self::disabled(store);
        if store.local_root().is_some() {
            let prefix = layout::tmp().join(&format!("undo-{pipeline}"))?;
            store.delete_all(&prefix).await?;
            log.prefix = Some(prefix);
        }
        Ok(log)
    }

    /// Backs up the file at `key`, if any. Must be called before the file changes.
    pub(super) async fn back_up(&self, key: &StoreKey) -> Result<(), StoreError> {
        let Some(prefix) = &self.prefix else {
            return Ok(());
        };
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let backup = prefix.join(&n.to_string())?;
        let backup = match self.store.link(key, &backup).await {
            Ok(_) => Some(backup),
            Err(StoreError::Missing { .. }) => None,
            Err(error) => return Err(error),
        };
        self.push(key, backup);
        Ok(())
    }

    /// Notes that a file is about to be created at `key`.
    pub(super) fn note_created(&self, key: &StoreKey) {
        if self.prefix.is_some() {
            self.push(key, None);
        }
    }

    fn push(&self, key: &StoreKey, backup: Option<StoreKey>) {
        let key = key.clone();
        self.changes
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(Change { key, backup });
    }

    /// Takes all changes back, the last one first.
    pub(super) async fn roll_back(self) -> Result<(), StoreError> {
        let changes = self
            .changes
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for Change { key, backup } in changes.into_iter().rev() {
            match backup.and_then(|backup| self.store.local_path(&backup)) {
                Some(backup) => self.store.adopt(&backup, &key).await?,
                None => self.store.delete(&key).await?,
            }
        }
        remove(self.store, self.prefix.as_ref()).await
    }

    /// Removes the backups after a complete publication.
    pub(super) async fn discard(self) -> Result<(), StoreError> {
        remove(self.store, self.prefix.as_ref()).await
    }
}

async fn remove(store: &Store, prefix: Option<&StoreKey>) -> Result<(), StoreError> {
    match prefix {
        Some(prefix) => store.delete_all(prefix).await,
        None => Ok(()),
    }
}
