//! Power cuts: every state of a folder store in which a cut could leave its disk.
//!
//! After each change the whole folder is recorded. A disk keeps names in the order of their changes, as journaling file
//! systems do, but the bytes of a file only once they were forced to the disk. So after a cut the folder has the names of
//! one moment, and each file whose bytes were not forced has them, or is empty, or has zeros in their place.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::watcher::{Watch, Watcher};
use crate::store::StoreKey;

/// Files by path below the root.
type Files = BTreeMap<PathBuf, Content>;

/// The bytes and attributes of a file, shared by its names.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Content {
    inode: u64,
    mode: u32,
    bytes: Vec<u8>,
}

/// Effect of a cut on bytes that were not forced to the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unforced {
    /// The file is empty.
    Empty,
    /// The file has its size, and zeros.
    Zeros,
    /// The bytes are there.
    Whole,
}

impl Unforced {
    /// Every fate.
    pub const ALL: [Self; 3] = [Self::Empty, Self::Zeros, Self::Whole];
}

/// The states of a store's folder while it was watched.
#[derive(Debug)]
pub struct PowerCuts {
    root: PathBuf,
    recorded: Mutex<Recorded>,
}

#[derive(Debug, Default)]
struct Recorded {
    /// Files forced to the disk so far.
    forced: Files,
    moments: Vec<Moment>,
}

/// The folder after a change, and what was forced to the disk by then.
#[derive(Debug)]
struct Moment {
    files: Files,
    forced: Files,
}

impl PowerCuts {
    /// Watches the folder at `root`, whose files are on the disk now.
    pub fn watch(root: &Path) -> (Arc<Self>, Watcher) {
        let forced = read(root);
        let cuts = Arc::new(Self {
            root: root.to_owned(),
            recorded: Mutex::new(Recorded {
                forced,
                moments: Vec::new(),
            }),
        });
        (Arc::clone(&cuts), Watcher::new(cuts))
    }

    /// Number of moments recorded.
    pub fn count(&self) -> usize {
        self.recorded().moments.len()
    }

    /// Makes `to`, an empty folder, what a cut at a moment leaves.
    pub fn restore(&self, moment: usize, unforced: Unforced, to: &Path) -> io::Result<()> {
        let recorded = self.recorded();
        let Moment { files, forced } = &recorded.moments[moment];
        for (path, content) in files {
            let is_forced = forced
                .values()
                .any(|forced| forced.inode == content.inode && forced.bytes == content.bytes);
            let left = match unforced {
                Unforced::Empty if !is_forced => Vec::new(),
                Unforced::Zeros if !is_forced => vec![0; content.bytes.len()],
                _ => content.bytes.clone(),
            };
            write(&to.join(path), &left, content.mode)?;
        }
        Ok(())
    }

    fn recorded(&self) -> std::sync::MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for PowerCuts {
    fn changed(&self) {
        let mut recorded = self.recorded();
        let (files, forced) = (read(&self.root), recorded.forced.clone());
        if recorded
            .moments
            .last()
            .is_none_or(|last| last.files != files || last.forced != forced)
        {
            recorded.moments.push(Moment { files, forced });
        }
    }

    fn syncs(&self) {
        let mut recorded = self.recorded();
        recorded.forced = read(&self.root);
    }

    fn persists(&self, key: &StoreKey) {
        let mut recorded = self.recorded();
        let path = PathBuf::from(key.as_str());
        if let Some(file) = read(&self.root).remove(&path) {
            recorded.forced.insert(path, file);
        }
    }
}

/// All files below `root`; a file that vanishes meanwhile is left out.
fn read(root: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if let (Ok(bytes), Ok(metadata), Ok(below)) =
                (fs::read(&path), entry.metadata(), path.strip_prefix(root))
            {
                let content = Content {
                    inode: metadata.ino(),
                    mode: metadata.mode(),
                    bytes,
                };
                files.insert(below.to_owned(), content);
            }
        }
    }
    files
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, bytes)?;
    fs::set_permissions(
        path,
        std::os::unix::fs::PermissionsExt::from_mode(mode & 0o7777),
    )
}
