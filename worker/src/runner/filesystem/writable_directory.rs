//! A directory that commands write to, emptied after each of them.

use std::io;
use std::os::unix::fs::fchown;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, Mode, OFlags, Stat, fchmod, openat};
use rustix::io::Errno;

use super::remove;
use super::slot_scratch::cannot_be_removed;
use crate::runner::command::Identity;

/// A directory that commands write to. It is held open, so its name need not be looked up for each datum, and may mean
/// another one meanwhile, as in `/tmp`.
pub(super) struct WritableDirectory {
    path: PathBuf,
    mode: Mode,
    opened: Dir,
    /// Whether its file system counts its names; few do not.
    counted: bool,
    /// Whether nothing is in it, and nobody there who could write.
    empty: bool,
}

impl WritableDirectory {
    /// A directory that was just made.
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

    /// Where it is on the machine.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is certainly nothing in it.
    pub(super) fn is_empty(&mut self) -> bool {
        let stat = self.opened.stat();
        stat.is_ok_and(|stat| self.is_named(&stat))
            && remove::is_empty(&mut self.opened).unwrap_or(false)
    }

    /// The same, after a command that is over with all that it started: what is found empty so need not be emptied for
    /// the next one.
    pub(super) fn check_left_empty(&mut self) -> bool {
        self.empty = self.is_empty();
        self.empty
    }

    /// Removes all that is in it, but for the names in `kept`. From now on commands may write to it, whatever rights the
    /// last one took away.
    pub(super) fn empty(&mut self, kept: &[PathBuf]) -> Result<(), String> {
        self.reset(kept)
            .map_err(|error| cannot_be_removed(&self.path, &error.into()))
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
    fn is_named(&self, stat: &Stat) -> bool {
        stat.st_nlink > 0 || !self.counted
    }
}
