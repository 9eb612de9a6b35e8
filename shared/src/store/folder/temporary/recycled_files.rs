//! Removed records, whose files are recycled for new records.
//!
//! Small records come and go by the thousand, and some file systems are slow to allocate inodes after many were freed
//! (ext4 without a journal skips the inodes freed in the last minute, singly). So a removed record moves to a
//! folder from which every process of the store may take files: workers create the records that a coordinator removes.
//! A rename decides between concurrent takers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ulid::Ulid;

use super::temp_file::{TempFile, with_parent};

/// Number of files kept; further removals delete the file.
const MAX_KEPT: usize = 2048;

/// As many are taken at once.
const CLAIM_BATCH: usize = 64;

/// After the folder was found empty, so many records are created before the next look.
const RECORDS_BETWEEN_LOOKS: usize = 64;

/// The recycled files of a store.
#[derive(Debug)]
pub(in crate::store::folder) struct RecycledFiles {
    folder: PathBuf,
    claimed: Mutex<ClaimedFiles>,
}

/// Files claimed by the current process.
#[derive(Debug, Default)]
struct ClaimedFiles {
    taken: Vec<TempFile>,
    /// Records to create before the next look into the folder.
    records_until_look: usize,
}

impl ClaimedFiles {
    /// True if enough records were created since the folder was empty.
    fn may_look(&mut self) -> bool {
        let waited = self.records_until_look == 0;
        self.records_until_look = self.records_until_look.saturating_sub(1);
        waited
    }
}

impl RecycledFiles {
    pub(in crate::store::folder) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            claimed: Mutex::default(),
        }
    }

    pub(in crate::store::folder) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes a recycled file, if the folder has any; `temp_file` names the claimed file.
    pub(in crate::store::folder) fn take(
        &self,
        temp_file: impl Fn() -> TempFile,
    ) -> Option<TempFile> {
        let mut claimed = self.claimed();
        if claimed.taken.is_empty() && claimed.may_look() {
            claimed.taken = self.claim_some(temp_file);
            claimed.records_until_look = if claimed.taken.is_empty() {
                RECORDS_BETWEEN_LOOKS
            } else {
                0
            };
        }
        claimed.taken.pop()
    }

    /// Claims some files of the folder by renaming them.
    fn claim_some(&self, temp_file: impl Fn() -> TempFile) -> Vec<TempFile> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return vec![];
        };
        let ours = entries.flatten().filter_map(|entry| {
            let temp_file = temp_file();
            let take = || fs::rename(entry.path(), temp_file.path());
            let taken = with_parent(temp_file.path(), take);
            taken.ok().map(|()| temp_file)
        });
        ours.take(CLAIM_BATCH).collect()
    }

    /// Removes the records at `paths` and keeps their files. Readers with an open record may see the bytes change.
    pub(in crate::store::folder) fn give(&self, paths: &[PathBuf]) -> io::Result<()> {
        let kept = fs::read_dir(&self.folder).map_or(0, Iterator::count);
        let (keep, remove) = paths.split_at(paths.len().min(MAX_KEPT.saturating_sub(kept)));
        let batch = Ulid::generate();
        for (number, path) in keep.iter().enumerate() {
            let recycled = self.folder.join(format!("{batch}-{number}"));
            unless_gone(with_parent(&recycled, || fs::rename(path, &recycled)))?;
        }
        remove
            .iter()
            .try_for_each(|path| unless_gone(fs::remove_file(path)))
    }

    fn claimed(&self) -> MutexGuard<'_, ClaimedFiles> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
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
    use crate::store::folder::temporary::temp_files::TempFiles;

    /// The temporary files of one process of a store.
    fn temp_files(place: &TempDir) -> TempFiles {
        TempFiles::new(place.path().join("tmp"), place.path().join("spare"))
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
    fn a_process_recycles_files_of_another_process() {
        let place = TempDir::new().unwrap();
        let old = records(&place, 3);
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        let inodes: Vec<u64> = old.iter().map(|path| inode(path)).collect();
        temp_files(&place).recycle(&old).unwrap();
        assert!(old.iter().all(|path| !path.exists()));

        let (other, new) = (temp_files(&place), place.path().join("new"));
        other.record(b"new").unwrap().create(&new).unwrap();
        assert!(inodes.contains(&inode(&new)));
        assert_eq!(fs::read(&new).unwrap(), b"new");
    }

    #[test]
    fn each_file_is_recycled_once() {
        let place = TempDir::new().unwrap();
        let workshops = [temp_files(&place), temp_files(&place)];
        workshops[0].recycle(&records(&place, 5)).unwrap();
        let written: Vec<TempFile> = (0..200)
            .map(|number| workshops[number % 2].record(b"new").unwrap())
            .collect();
        let mut inodes: Vec<_> = written
            .iter()
            .map(|temp_file| fs::metadata(temp_file.path()).unwrap().ino())
            .collect();
        inodes.sort_unstable();
        inodes.dedup();
        assert_eq!(inodes.len(), written.len());
    }

    #[test]
    fn a_bounded_number_of_files_is_kept() {
        let place = TempDir::new().unwrap();
        let temp_files = temp_files(&place);
        for count in [MAX_KEPT - 1, 10] {
            let old = records(&place, count);
            temp_files.recycle(&old).unwrap();
            assert!(old.iter().all(|path| !path.exists()));
        }
        assert_eq!(files_in(&place.path().join("spare")), MAX_KEPT);
    }

    #[test]
    fn unused_claimed_files_are_removed() {
        let place = TempDir::new().unwrap();
        let temp_files = temp_files(&place);
        temp_files.recycle(&records(&place, 9)).unwrap();
        drop(temp_files.record(b"new"));
        drop(temp_files);
        assert_eq!(files_in(&place.path().join("tmp")), 0);
    }
}
