//! The scratch directories of a slot.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

use super::remove;
use super::writable_directory::WritableDirectory;

/// The scratch directories of a slot.
pub(in crate::runner) struct SlotScratch {
    root: PathBuf,
    /// Directory behind `/pfs/out`.
    pub(super) out: WritableDirectory,
    /// Directory behind `/tmp`.
    pub(super) tmp: WritableDirectory,
}

/// Path of the inputs for commands, unless the inputs are in scratch.
pub(super) const PFS: &str = "/pfs";

/// Name of the directory behind `/pfs/out`.
pub(super) const OUT: &str = "out";

/// Name of the directory of copied inputs.
pub(super) const COPIES: &str = "pfs";

/// Names of the directories in scratch.
const DIRECTORIES: [&str; 5] = [OUT, "tmp", COPIES, "skeleton", "root"];

/// An empty file, the source of inputs that are shown empty.
pub(in crate::runner) const EMPTY: &str = "empty";

/// File beside the inputs with the variables of a datum, for batch commands.
pub(super) const ENV: &str = ".env";

impl SlotScratch {
    /// Creates the directories; first removes the directories of a runner that was killed.
    pub(super) fn create(root: &Path) -> Result<Self, String> {
        Self::make(root).map_err(|error| {
            format!(
                "scratch directory {} cannot be made: {error}",
                root.display()
            )
        })
    }

    fn make(root: &Path) -> io::Result<Self> {
        Self::remove(root)?;
        // Never the directories above: after the death of the worker, another worker may have removed these, and they must not come back.
        fs::create_dir(root)?;
        for directory in DIRECTORIES {
            fs::create_dir(root.join(directory))?;
        }
        fs::write(root.join(EMPTY), "")?;
        fs::set_permissions(root.join(EMPTY), Permissions::from_mode(0o444))?;
        Ok(Self {
            root: root.to_owned(),
            out: WritableDirectory::open(root.join(OUT), Mode::from(0o755))?,
            tmp: WritableDirectory::open(root.join("tmp"), Mode::from(0o1777))?,
        })
    }

    /// The scratch directory.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Directory of copied inputs.
    pub(super) fn pfs(&self) -> PathBuf {
        self.root.join(COPIES)
    }

    /// Mount point of the tmpfs with the mount targets.
    pub(super) fn skeleton(&self) -> PathBuf {
        self.root.join("skeleton")
    }

    /// Mount point of a new root, for machines without `/pfs`.
    pub(super) fn new_root(&self) -> PathBuf {
        self.root.join("root")
    }

    /// Removes the contents of `directory`.
    pub(super) fn empty(directory: &Path) -> Result<(), String> {
        remove::empty(directory).map_err(|error| remove::cannot_be_removed(directory, &error))
    }

    /// Removes the scratch directory. Only for a process without mounts there.
    pub(in crate::runner) fn remove(root: &Path) -> io::Result<()> {
        if !root.is_dir() {
            return Ok(());
        }
        let parent = File::open(root)?;
        for directory in DIRECTORIES {
            remove::remove(&parent, Path::new(directory))?;
        }
        fs::remove_file(root.join(EMPTY)).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        drop(parent);
        fs::remove_dir(root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_of_a_killed_worker_does_not_come_back() {
        let parent = tempfile::tempdir().unwrap();
        let slots = parent.path().join("worker/slots");
        assert!(SlotScratch::create(&slots.join("0")).is_err());
        assert!(!parent.path().join("worker").exists());
    }
}
