//! A directory that commands can write to; emptied after each command.

use std::io;
use std::os::unix::fs::fchown;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, Mode, OFlags, Stat, fchmod, openat};
use rustix::io::Errno;

use super::remove;
use crate::runner::identity::Identity;

/// A directory that commands can write to. The directory is held open: a lookup of its name per datum would cost time,
/// and in `/tmp` the name may denote another directory meanwhile.
pub(super) struct WritableDirectory {
    path: PathBuf,
    mode: Mode,
    opened: Dir,
    /// True if the file system maintains the link count; few do not.
    counted: bool,
    /// True if the directory is empty and no process can write to it.
    empty: bool,
}

impl WritableDirectory {
    /// Opens a directory that was just created.
    pub(super) fn open(path: PathBuf, mode: Mode) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = openat(CWD, &path, flags, Mode::empty())?;
        fchmod(&opened, mode)?;
        let opened = Dir::new(opened)?;
        let stat = opened.stat()?;
        Ok(Self {
            path,
            mode: Mode::from_raw_mode(stat.st_mode), // some file systems have but one
            counted: stat.st_nlink > 0,
            opened,
            empty: false,
        })
    }

    /// Path on the machine.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// True if the directory is certainly empty.
    pub(super) fn is_empty(&mut self) -> bool {
        let stat = self.opened.stat();
        stat.is_ok_and(|stat| self.is_named(&stat))
            && remove::is_empty(&mut self.opened).unwrap_or(false)
    }

    /// As [`is_empty`](Self::is_empty), for a command whose processes have all ended. A directory found empty here is
    /// not emptied again for the next command.
    pub(super) fn check_left_empty(&mut self) -> bool {
        self.empty = self.is_empty();
        self.empty
    }

    /// Removes the contents except the names in `kept`, and restores the access rights for the next command.
    pub(super) fn empty(&mut self, kept: &[PathBuf]) -> Result<(), String> {
        self.reset(kept)
            .map_err(|error| remove::cannot_be_removed(&self.path, &error.into()))
    }

    fn reset(&mut self, kept: &[PathBuf]) -> rustix::io::Result<()> {
        let stat = self.opened.stat()?;
        if !self.is_named(&stat) {
            return Err(Errno::NOENT);
        }
        if Mode::from_raw_mode(stat.st_mode) != self.mode {
            fchmod(self.opened.fd()?, self.mode)?;
        }
        if std::mem::take(&mut self.empty) {
            return Ok(());
        }
        remove::empty_opened(&mut self.opened, kept)
    }

    /// Changes the owner to `identity`, or to the user of the current process.
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

    /// True unless the directory was removed.
    fn is_named(&self, stat: &Stat) -> bool {
        stat.st_nlink > 0 || !self.counted
    }
}
