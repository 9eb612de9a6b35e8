//! The inotify instance of the process, shared by all pipelines: the kernel allows a user 128 instances by default, and
//! each instance costs a thread.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::event::{AccessKind, AccessMode};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// How much of a folder is watched.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Depth {
    /// The entries of the folder.
    Entries,
    /// Everything below the folder.
    Tree,
}

/// A listener of a [`SharedWatcher`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct ListenerId(u64);

/// Watches folders for any number of listeners. Cheap to clone; all clones share the instance.
#[derive(Clone, Default)]
pub(super) struct SharedWatcher(Arc<WatcherState>);

/// The thread of the instance takes the lock of the listeners alone, because calls wait for the thread while they hold the
/// lock of the instance.
#[derive(Default)]
struct WatcherState {
    instance: Mutex<Option<RecommendedWatcher>>,
    listeners: Arc<Mutex<Listeners>>,
}

#[derive(Default)]
struct Listeners {
    next: u64,
    all: HashMap<ListenerId, Arc<Notify>>,
    places: BTreeMap<(PathBuf, Depth), Vec<ListenerId>>,
}

impl SharedWatcher {
    /// Adds a listener, which `changed` notifies.
    pub(super) fn listen(&self, changed: &Arc<Notify>) -> ListenerId {
        let mut listeners = self.listeners();
        listeners.next += 1;
        let id = ListenerId(listeners.next);
        listeners.all.insert(id, Arc::clone(changed));
        id
    }

    /// Removes a listener that watches nothing any more.
    pub(super) fn leave(&self, listener: ListenerId) {
        self.listeners().all.remove(&listener);
    }

    /// Watches a place for a listener; an error says why not, and what to do.
    pub(super) fn watch(
        &self,
        listener: ListenerId,
        place: &Path,
        depth: Depth,
    ) -> Result<(), String> {
        let key = (place.to_owned(), depth);
        self.listeners()
            .places
            .entry(key)
            .or_default()
            .push(listener);
        self.begin(place, depth)
    }

    /// Stops watching a place for a listener.
    pub(super) fn unwatch(&self, listener: ListenerId, place: &Path, depth: Depth) {
        let left = self.listeners().remove(listener, place, depth);
        let Some(affected) = left else { return };
        if let Some(instance) = &mut *self.instance() {
            // A folder that is gone is not watched any more.
            let _ = instance.unwatch(place);
        }
        // The instance watches each folder once, also a folder inside another folder.
        for (place, depth) in affected {
            let _ = self.begin(&place, depth);
        }
    }

    fn begin(&self, place: &Path, depth: Depth) -> Result<(), String> {
        let mut instance = self.instance();
        let watcher = match &mut *instance {
            Some(watcher) => watcher,
            none => none.insert(self.start().map_err(|error| explain(&error))?),
        };
        let mode = match depth {
            Depth::Entries => RecursiveMode::NonRecursive,
            Depth::Tree => RecursiveMode::Recursive,
        };
        watcher.watch(place, mode).map_err(|error| explain(&error))
    }

    fn start(&self) -> notify::Result<RecommendedWatcher> {
        let listeners = Arc::clone(&self.0.listeners);
        notify::recommended_watcher(move |event: notify::Result<Event>| {
            if let Ok(event) = event
                && is_change(event.kind)
            {
                let listeners = listeners.lock().unwrap_or_else(PoisonError::into_inner);
                listeners.tell(&event);
            }
        })
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.0
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn instance(&self) -> MutexGuard<'_, Option<RecommendedWatcher>> {
        self.0
            .instance
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listeners {
    fn tell(&self, event: &Event) {
        // The kernel lost events, so any place may have changed.
        if event.need_rescan() {
            self.all.values().for_each(|changed| changed.notify_one());
            return;
        }
        for path in &event.paths {
            for (above, folder) in path.ancestors().enumerate() {
                self.tell_place(folder, Depth::Tree);
                if above <= 1 {
                    self.tell_place(folder, Depth::Entries);
                }
            }
        }
    }

    fn tell_place(&self, folder: &Path, depth: Depth) {
        let listeners = self.places.get(&(folder.to_owned(), depth));
        for listener in listeners.into_iter().flatten() {
            if let Some(changed) = self.all.get(listener) {
                changed.notify_one();
            }
        }
    }

    /// Removes a listener from a place. If nobody watches the place any more, returns the places whose folders the
    /// instance forgets together with it.
    fn remove(
        &mut self,
        listener: ListenerId,
        place: &Path,
        depth: Depth,
    ) -> Option<Vec<(PathBuf, Depth)>> {
        let key = (place.to_owned(), depth);
        let listeners = self.places.get_mut(&key)?;
        listeners.retain(|each| *each != listener);
        if !listeners.is_empty() {
            return None;
        }
        self.places.remove(&key);
        let overlaps = |other: &Path| other.starts_with(place) || place.starts_with(other);
        let others = self.places.keys();
        Some(
            others
                .filter(|(other, _)| overlaps(other))
                .cloned()
                .collect(),
        )
    }
}

/// True for an event other than reading. A file that is being written raises many events.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

fn explain(error: &notify::Error) -> String {
    let is_watches = matches!(error.kind, ErrorKind::MaxFilesWatch);
    let is_instances =
        matches!(&error.kind, ErrorKind::Io(error) if error.raw_os_error() == Some(24));
    if is_watches {
        format!("{error}; raise fs.inotify.max_user_watches (sysctl)")
    } else if is_instances {
        format!(
            "{error}; raise fs.inotify.max_user_instances (sysctl), or end other watchers of this user"
        )
    } else {
        error.to_string()
    }
}

impl std::fmt::Debug for SharedWatcher {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("SharedWatcher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
