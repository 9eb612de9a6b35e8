//! The directories of a slot in scratch, and how they are emptied.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

use super::remove;
use super::writable_directory::WritableDirectory;

/// The directories of a slot.
pub(in crate::runner) struct SlotScratch {
    root: PathBuf,
    /// What the command sees as `/pfs/out`.
    pub(super) out: WritableDirectory,
    /// What the command sees as `/tmp`.
    pub(super) tmp: WritableDirectory,
}

/// The directories that a slot has in scratch.
const DIRECTORIES: [&str; 5] = ["out", "tmp", "pfs", "skeleton", "root"];

/// An empty file, to stand for the inputs that are shown empty.
pub(in crate::runner) const EMPTY: &str = "empty";

/// The file beside the inputs that has a datum's variables, for a command that stays for several.
pub(super) const ENV: &str = ".env";

impl SlotScratch {
    /// Makes the directories, anew where a runner that died left some.
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
        fs::create_dir_all(root)?;
        for directory in DIRECTORIES {
            fs::create_dir(root.join(directory))?;
        }
        fs::write(root.join(EMPTY), "")?;
        fs::set_permissions(root.join(EMPTY), Permissions::from_mode(0o444))?;
        Ok(Self {
            root: root.to_owned(),
            out: WritableDirectory::open(root.join("out"), Mode::from(0o755))?,
            tmp: WritableDirectory::open(root.join("tmp"), Mode::from(0o1777))?,
        })
    }

    /// Where inputs are copied to.
    pub(super) fn pfs(&self) -> PathBuf {
        self.root.join("pfs")
    }

    /// Where the tmpfs with the mount points of inputs lies.
    pub(super) fn skeleton(&self) -> PathBuf {
        self.root.join("skeleton")
    }

    /// Where a new root is built, when there is no `/pfs` to mount upon.
    pub(super) fn new_root(&self) -> PathBuf {
        self.root.join("root")
    }

    /// Removes all that is in `directory`.
    pub(super) fn empty(directory: &Path) -> Result<(), String> {
        remove::empty(directory).map_err(|error| cannot_be_removed(directory, &error))
    }

    /// Removes all of it. Only for a process that sees nothing mounted there.
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

/// The message for what is left in `directory`.
pub(super) fn cannot_be_removed(directory: &Path, error: &io::Error) -> String {
    format!(
        "what the last datum left cannot be removed from {}: {error}",
        directory.display()
    )
}
