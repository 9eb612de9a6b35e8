//! Notifications about changes in folders (inotify).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Notifies about changes in folders of the local machine. Where the system cannot notify (a bucket, a network folder, too
/// many folders), changes are found by the clock.
#[derive(Debug, Default)]
pub(super) struct FileWatcher {
    changed: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

impl FileWatcher {
    /// Watches exactly these folders. For a missing folder the parent is watched.
    pub(super) fn watch(&mut self, folders: &BTreeSet<PathBuf>) {
        let wanted: BTreeSet<PathBuf> = folders.iter().map(|folder| place_of(folder)).collect();
        if wanted == self.watched {
            return;
        }
        self.watcher = self.begin(&wanted, folders);
        self.watched = wanted;
    }

    /// Returns when something has changed since the last time. Cancel-safe.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn begin(
        &self,
        places: &BTreeSet<PathBuf>,
        folders: &BTreeSet<PathBuf>,
    ) -> Option<RecommendedWatcher> {
        let changed = Arc::clone(&self.changed);
        let told = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_change(event.kind)) {
                changed.notify_one();
            }
        };
        let mut watcher = notify::recommended_watcher(told)
            .inspect_err(|error| {
                tracing::warn!("cannot watch files; changes are found by the clock only: {error}");
            })
            .ok()?;
        for place in places {
            let mode = if folders.contains(place) {
                RecursiveMode::Recursive
            } else {
                RecursiveMode::NonRecursive
            };
            if let Err(error) = watcher.watch(place, mode) {
                let place = place.display();
                tracing::warn!(
                    "cannot watch {place}; changes there are found by the clock only: {error}"
                );
            }
        }
        Some(watcher)
    }
}

fn place_of(folder: &Path) -> PathBuf {
    match folder.parent() {
        Some(parent) if !folder.is_dir() => parent.to_owned(),
        _ => folder.to_owned(),
    }
}

/// True for an event other than reading. A file that is being written raises many events.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn is_notified(watcher: &FileWatcher) -> bool {
        let told = timeout(Duration::from_secs(20), watcher.changed());
        told.await.is_ok()
    }

    #[tokio::test]
    async fn a_file_that_is_new_changed_or_gone_is_notified_of() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("in");
        let mut watcher = FileWatcher::default();
        let watched = BTreeSet::from([folder.clone()]);
        watcher.watch(&watched);
        std::fs::create_dir_all(folder.join("deep")).unwrap();
        assert!(is_notified(&watcher).await, "the folder is there now");
        watcher.watch(&watched);
        let file = folder.join("deep/file");
        std::fs::write(&file, "a").unwrap();
        assert!(is_notified(&watcher).await, "a file is new");
        std::fs::remove_file(&file).unwrap();
        assert!(is_notified(&watcher).await, "a file is gone");
    }

    #[test]
    fn reading_is_no_change() {
        assert!(!is_change(EventKind::Access(AccessKind::Open(
            AccessMode::Any
        ))));
        assert!(!is_change(EventKind::Access(AccessKind::Close(
            AccessMode::Read
        ))));
        assert!(is_change(EventKind::Access(AccessKind::Close(
            AccessMode::Write
        ))));
        assert!(is_change(EventKind::Remove(
            notify::event::RemoveKind::File
        )));
    }
}
