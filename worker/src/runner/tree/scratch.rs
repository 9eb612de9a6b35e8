//! The directories of a slot in scratch, and how they are emptied.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::remove;
use crate::runner::command::Identity;

/// The directories of a slot.
pub(in crate::runner) struct Scratch {
    root: PathBuf,
    out: PathBuf,
    tmp: PathBuf,
}

/// The directories that a slot has in scratch.
const DIRECTORIES: [&str; 5] = ["out", "tmp", "pfs", "skeleton", "root"];

/// An empty file, to stand for the inputs that are shown empty.
pub(in crate::runner) const EMPTY: &str = "empty";

/// The file beside the inputs that has a datum's variables, for a command that stays for several.
pub(super) const ENV: &str = ".env";

impl Scratch {
    /// Makes the directories, anew where a runner that died left some.
    pub(super) fn create(root: &Path) -> Result<Self, String> {
        let made = Self {
            root: root.to_owned(),
            out: root.join("out"),
            tmp: root.join("tmp"),
        };
        made.make().map_err(|error| {
            format!(
                "scratch directory {} cannot be made: {error}",
                root.display()
            )
        })?;
        Ok(made)
    }

    fn make(&self) -> io::Result<()> {
        Self::remove(&self.root)?;
        fs::create_dir_all(&self.root)?;
        for directory in DIRECTORIES {
            fs::create_dir(self.root.join(directory))?;
        }
        fs::write(self.root.join(EMPTY), "")?;
        fs::set_permissions(self.root.join(EMPTY), Permissions::from_mode(0o444))?;
        fs::set_permissions(&self.out, Permissions::from_mode(0o755))?;
        fs::set_permissions(&self.tmp, Permissions::from_mode(0o1777))
    }

    /// What the command sees as `/pfs/out`.
    pub(super) fn out(&self) -> &Path {
        &self.out
    }

    /// What the command sees as `/tmp`.
    pub(super) fn tmp(&self) -> &Path {
        &self.tmp
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

    /// Removes all that is in `directory`, but for the names in `kept`.
    pub(super) fn empty(directory: &Path, kept: &[PathBuf]) -> Result<(), String> {
        let kept: Vec<&Path> = kept.iter().map(PathBuf::as_path).collect();
        remove::empty(directory, &kept).map_err(|error| {
            format!(
                "what the last datum left cannot be removed from {}: {error}",
                directory.display()
            )
        })
    }

    /// Makes `directory` belong to `identity`, or back to this process.
    pub(super) fn hand_over(directory: &Path, identity: Option<Identity>) -> Result<(), String> {
        let identity = identity.unwrap_or_else(Identity::own);
        chown(directory, Some(identity.user), Some(identity.group)).map_err(|error| {
            format!(
                "{} cannot be given to user {}: {error}",
                directory.display(),
                identity.user
            )
        })
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
