//! Notices of changes to a folder store.

use std::fmt;
use std::sync::Arc;

use crate::store::StoreKey;

/// Receiver of notices.
pub(super) trait Watch: Send + Sync {
    /// Something has changed, or was forced to the disk.
    fn changed(&self);
    /// Everything written so far is about to be forced to the disk.
    fn syncs(&self);
    /// One object is about to be forced to the disk.
    fn persists(&self, key: &StoreKey);
}

/// Passes notices on, if a receiver is there.
#[derive(Clone, Default)]
pub struct Watcher(Option<Arc<dyn Watch>>);

impl Watcher {
    pub(super) fn new(watch: Arc<dyn Watch>) -> Self {
        Self(Some(watch))
    }

    pub(in crate::store) fn changed(&self) {
        if let Some(watch) = &self.0 {
            watch.changed();
        }
    }

    pub(in crate::store) fn syncs(&self) {
        if let Some(watch) = &self.0 {
            watch.syncs();
        }
    }

    pub(in crate::store) fn persists(&self, key: &StoreKey) {
        if let Some(watch) = &self.0 {
            watch.persists(key);
        }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Watcher")
    }
}
