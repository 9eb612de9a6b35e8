//! Notifications about changes in folders (inotify).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drover_shared::id::PipelineName;
use tokio::sync::Notify;

use super::shared_watcher::{Depth, ListenerId, SharedWatcher};

/// Notifies one pipeline about changes in folders of the local machine. Where the system cannot notify (a bucket, a network
/// folder, too many folders), changes are found by the clock.
#[derive(Debug)]
pub(super) struct FileWatcher {
    pipeline: PipelineName,
    shared: SharedWatcher,
    listener: ListenerId,
    changed: Arc<Notify>,
    watched: BTreeSet<(PathBuf, Depth)>,
}

impl FileWatcher {
    pub(super) fn new(pipeline: &PipelineName, shared: SharedWatcher) -> Self {
        let changed = Arc::default();
        Self {
            pipeline: pipeline.clone(),
            listener: shared.listen(&changed),
            shared,
            changed,
            watched: BTreeSet::new(),
        }
    }

    /// Watches exactly these folders. For a missing folder the parent is watched.
    pub(super) fn watch(&mut self, folders: &BTreeSet<PathBuf>) {
        let wanted: BTreeSet<_> = folders.iter().map(|folder| place_of(folder)).collect();
        for (place, depth) in self.watched.difference(&wanted) {
            self.shared.unwatch(self.listener, place, *depth);
        }
        for (place, depth) in wanted.difference(&self.watched) {
            if let Err(problem) = self.shared.watch(self.listener, place, *depth) {
                tracing::warn!(
                    pipeline.name = %self.pipeline,
                    "{} cannot be told of changes in {}, so they are found at the interval of --look-every: {problem}",
                    self.pipeline, place.display()
                );
            }
        }
        self.watched = wanted;
    }

    /// Returns when something has changed since the last time. Cancel-safe.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Drop for FileWatcher {
    fn drop(&mut self) {
        for (place, depth) in &self.watched {
            self.shared.unwatch(self.listener, place, *depth);
        }
        self.shared.leave(self.listener);
    }
}

fn place_of(folder: &Path) -> (PathBuf, Depth) {
    match folder.parent() {
        Some(parent) if !folder.is_dir() => (parent.to_owned(), Depth::Entries),
        _ => (folder.to_owned(), Depth::Tree),
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

    fn new_watcher(shared: &SharedWatcher) -> FileWatcher {
        FileWatcher::new(&"p".parse().unwrap(), shared.clone())
    }

    #[tokio::test]
    async fn a_file_that_is_new_changed_or_gone_is_notified_of() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("in");
        let mut watcher = new_watcher(&SharedWatcher::default());
        let folders = BTreeSet::from([folder.clone()]);
        watcher.watch(&folders);
        std::fs::create_dir_all(folder.join("deep")).unwrap();
        assert!(is_notified(&watcher).await, "the folder is there now");
        watcher.watch(&folders);
        let file = folder.join("deep/file");
        std::fs::write(&file, "a").unwrap();
        assert!(is_notified(&watcher).await, "a file is new");
        std::fs::remove_file(&file).unwrap();
        assert!(is_notified(&watcher).await, "a file is gone");
    }

    #[tokio::test]
    async fn hundreds_of_watchers_share_one_instance_and_each_is_told() {
        let root = tempfile::tempdir().unwrap();
        let shared = SharedWatcher::default();
        let mut watchers = Vec::new();
        for number in 0..300 {
            let folder = root.path().join(number.to_string());
            std::fs::create_dir(&folder).unwrap();
            let mut watcher = new_watcher(&shared);
            watcher.watch(&BTreeSet::from([folder.clone()]));
            watchers.push((watcher, folder));
        }
        for (watcher, folder) in &watchers {
            std::fs::write(folder.join("file"), "a").unwrap();
            assert!(is_notified(watcher).await, "{}", folder.display());
        }
    }

    #[tokio::test]
    async fn a_folder_inside_another_one_stays_watched_when_one_of_them_is_left() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let shared = SharedWatcher::default();
        let (mut outer, mut nested) = (new_watcher(&shared), new_watcher(&shared));
        outer.watch(&BTreeSet::from([root.path().to_owned()]));
        nested.watch(&BTreeSet::from([inner.clone()]));
        drop(nested);
        std::fs::write(inner.join("file"), "a").unwrap();
        assert!(is_notified(&outer).await);
    }
}
