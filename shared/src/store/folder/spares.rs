//! Removed records, kept to be written anew.
//!
//! Small records come and go by the thousand, and some file systems are slow to give out new inodes after many
//! were freed (ext4 without a journal passes over those freed in the last minute, one by one). So a removed record
//! goes to a folder from where any process of the store may take it: workers make the records that a coordinator
//! removes. A rename decides who has it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ulid::Ulid;

use super::place::{Draft, with_parent};

/// As many are kept; what is removed beyond that is gone.
const MOST: usize = 2048;

/// As many are taken at once.
const AT_ONCE: usize = 64;

/// When there were none, as many records are made before the folder is looked at again.
const PATIENCE: usize = 64;

/// The spares of a store.
#[derive(Debug)]
pub(super) struct Spares {
    folder: PathBuf,
    hand: Mutex<Hand>,
}

/// What this process has taken.
#[derive(Debug, Default)]
struct Hand {
    taken: Vec<Draft>,
    /// Records to make anew before it is worth looking again.
    patience: usize,
}

impl Hand {
    /// Whether enough records were made since there were no spares.
    fn may_look(&mut self) -> bool {
        let waited = self.patience == 0;
        self.patience = self.patience.saturating_sub(1);
        waited
    }
}

impl Spares {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            hand: Mutex::default(),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file that is nobody's any more, if there is one; `draft` names it.
    pub(super) fn take(&self, draft: impl Fn() -> Draft) -> Option<Draft> {
        let mut hand = self.hand();
        if hand.taken.is_empty() && hand.may_look() {
            hand.taken = self.grasp(draft);
            hand.patience = if hand.taken.is_empty() { PATIENCE } else { 0 };
        }
        hand.taken.pop()
    }

    /// Some of the folder's files, renamed so that nobody else takes them.
    fn grasp(&self, draft: impl Fn() -> Draft) -> Vec<Draft> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return vec![];
        };
        let ours = entries.flatten().filter_map(|entry| {
            let draft = draft();
            let take = || fs::rename(entry.path(), draft.path());
            let taken = with_parent(draft.path(), take);
            taken.ok().map(|()| draft)
        });
        ours.take(AT_ONCE).collect()
    }

    /// Removes the records at `paths`, keeping their files. Somebody who has one open may see it change.
    pub(super) fn give(&self, paths: &[PathBuf]) -> io::Result<()> {
        let kept = fs::read_dir(&self.folder).map_or(0, Iterator::count);
        let (keep, remove) = paths.split_at(paths.len().min(MOST.saturating_sub(kept)));
        let batch = Ulid::generate();
        for (number, path) in keep.iter().enumerate() {
            let spare = self.folder.join(format!("{batch}-{number}"));
            unless_gone(with_parent(&spare, || fs::rename(path, &spare)))?;
        }
        remove
            .iter()
            .try_for_each(|path| unless_gone(fs::remove_file(path)))
    }

    fn hand(&self) -> MutexGuard<'_, Hand> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unless_gone(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use tempfile::TempDir;

    use super::*;
    use crate::store::folder::place::Workshop;

    /// A store's folder, and the workshop of one of its processes.
    fn workshop(place: &TempDir) -> Workshop {
        Workshop::new(place.path().join("tmp"), place.path().join("spare"))
    }

    fn records(place: &TempDir, count: usize) -> Vec<PathBuf> {
        let paths: Vec<_> = (0..count)
            .map(|number| place.path().join(number.to_string()))
            .collect();
        for path in &paths {
            fs::write(path, "old, and longer").unwrap();
        }
        paths
    }

    fn files_in(folder: &Path) -> usize {
        fs::read_dir(folder).map_or(0, Iterator::count)
    }

    #[test]
    fn what_one_process_removes_another_one_writes_anew() {
        let place = TempDir::new().unwrap();
        let old = records(&place, 3);
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        let inodes: Vec<u64> = old.iter().map(|path| inode(path)).collect();
        workshop(&place).recycle(&old).unwrap();
        assert!(old.iter().all(|path| !path.exists()));

        let (other, new) = (workshop(&place), place.path().join("new"));
        other.record(b"new").unwrap().create(&new).unwrap();
        assert!(inodes.contains(&inode(&new)));
        assert_eq!(fs::read(&new).unwrap(), b"new");
    }

    #[test]
    fn each_spare_is_taken_once_and_without_one_records_are_made_all_the_same() {
        let place = TempDir::new().unwrap();
        let workshops = [workshop(&place), workshop(&place)];
        workshops[0].recycle(&records(&place, 5)).unwrap();
        let drafts: Vec<Draft> = (0..200)
            .map(|number| workshops[number % 2].record(b"new").unwrap())
            .collect();
        let mut inodes: Vec<_> = drafts
            .iter()
            .map(|draft| fs::metadata(draft.path()).unwrap().ino())
            .collect();
        inodes.sort_unstable();
        inodes.dedup();
        assert_eq!(inodes.len(), drafts.len());
    }

    #[test]
    fn a_bounded_number_is_kept_and_none_is_left_where_it_was() {
        let place = TempDir::new().unwrap();
        let workshop = workshop(&place);
        for count in [MOST - 1, 10] {
            let old = records(&place, count);
            workshop.recycle(&old).unwrap();
            assert!(old.iter().all(|path| !path.exists()));
        }
        assert_eq!(files_in(&place.path().join("spare")), MOST);
    }

    #[test]
    fn what_is_taken_and_not_used_is_removed() {
        let place = TempDir::new().unwrap();
        let workshop = workshop(&place);
        workshop.recycle(&records(&place, 9)).unwrap();
        drop(workshop.record(b"new"));
        drop(workshop);
        assert_eq!(files_in(&place.path().join("tmp")), 0);
    }
}
