//! A directory that commands write to, emptied after each of them.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, Mode, OFlags, openat};

use super::remove;
use super::scratch::cannot_be_removed;
use crate::runner::command::Identity;

/// A directory that commands write to. It is held open, so its name need not be looked up for each datum, and may mean
/// another one meanwhile, as in `/tmp`.
pub(super) struct Written {
    path: PathBuf,
    opened: Dir,
    /// Whether its file system counts its names; few do not.
    counted: bool,
    /// Whether nothing is in it, and nobody there who could write.
    empty: bool,
}

impl Written {
    /// A directory that was just made.
    pub(super) fn open(path: PathBuf, mode: u32) -> io::Result<Self> {
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = Dir::new(openat(CWD, &path, flags, Mode::empty())?)?;
        Ok(Self {
            path,
            counted: opened.stat()?.st_nlink > 0,
            opened,
            empty: false,
        })
    }

    /// Where it is on the machine.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Looks whether a command that is over, with all that it started, left nothing. What is found empty so need not
    /// be emptied for the next one.
    pub(super) fn is_empty(&mut self) -> bool {
        self.empty = self.is_there() && remove::is_empty(&mut self.opened).unwrap_or(false);
        self.empty
    }

    /// Removes all that is in it, but for the names in `kept`. From now on commands may write to it.
    pub(super) fn empty(&mut self, kept: &[PathBuf]) -> Result<(), String> {
        let emptied = match (self.is_there(), std::mem::take(&mut self.empty)) {
            (false, _) => Err(io::ErrorKind::NotFound.into()),
            (true, true) => Ok(()),
            (true, false) => remove::empty_opened(&mut self.opened, kept).map_err(Into::into),
        };
        emptied.map_err(|error| cannot_be_removed(&self.path, &error))
    }

    /// Makes it belong to `identity`, or back to this process.
    pub(super) fn hand_over(&self, identity: Option<Identity>) -> Result<(), String> {
        let identity = identity.unwrap_or_else(Identity::own);
        let given = self.opened.fd().map_err(Into::into);
        given
            .and_then(|fd| fchown(fd, Some(identity.user), Some(identity.group)))
            .map_err(|error: io::Error| {
                format!(
                    "{} cannot be given to user {}: {error}",
                    self.path.display(),
                    identity.user
                )
            })
    }

    /// Whether nobody removed it.
    fn is_there(&self) -> bool {
        let named = self.opened.stat().map(|stat| stat.st_nlink > 0);
        named.is_ok_and(|named| named || !self.counted)
    }
}
