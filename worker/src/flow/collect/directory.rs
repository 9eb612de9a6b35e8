//! The output directory, held open. All access goes through open directories, so a link that replaces a directory
//! meanwhile leads nowhere.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, RawMode, chmodat, fchmod, open, openat, renameat};
use rustix::io::Errno;

use crate::flow_error::{FlowError, InfrastructureError};

const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The mode that a directory needs for its files to be moved out.
const ACCESSIBLE: Mode = Mode::from_bits_retain(0o700 as RawMode);

/// The output directory of a slot.
#[derive(Debug)]
pub(super) struct OutputDirectory {
    root: OwnedFd,
}

/// A cache of the last parent directory: its path below the root, and its descriptor.
pub(super) type Parent = Option<(String, OwnedFd)>;

impl OutputDirectory {
    pub(super) fn open(path: &Path) -> Result<Self, FlowError> {
        match open(path, FLAGS, Mode::empty()) {
            Ok(root) => Ok(Self { root }),
            Err(error) => Err(InfrastructureError::scratch(path)(error.into())),
        }
    }

    /// The directory `below` the root, `""` for the root itself.
    pub(super) fn descend(&self, below: &str) -> Result<OwnedFd, FlowError> {
        self.step_down(below)
            .map_err(|error| InfrastructureError::scratch(below)(error.into()))
    }

    fn step_down(&self, below: &str) -> rustix::io::Result<OwnedFd> {
        let mut at = openat(&self.root, ".", FLAGS, Mode::empty())?;
        for name in below.split('/').filter(|name| !name.is_empty()) {
            at = match openat(&at, name, FLAGS, Mode::empty()) {
                // The command may have removed the access rights of its own directory.
                Err(Errno::ACCESS) => {
                    chmodat(&at, name, ACCESSIBLE, AtFlags::empty())?;
                    openat(&at, name, FLAGS, Mode::empty())?
                }
                opened => opened?,
            };
        }
        Ok(at)
    }

    /// Moves the file at `path` to `place`, on the same file system. `parent` is a cache for consecutive calls.
    pub(super) fn move_out(
        &self,
        path: &str,
        place: &Path,
        parent: &mut Parent,
    ) -> Result<(), FlowError> {
        let (open, name) = self.parent_of(path, parent)?;
        let moved = match renameat(open, name, rustix::fs::CWD, place) {
            Err(Errno::ACCESS) => {
                fchmod(open, ACCESSIBLE).and_then(|()| renameat(open, name, rustix::fs::CWD, place))
            }
            moved => moved,
        };
        moved.map_err(|error| InfrastructureError::scratch(path)(error.into()))
    }

    /// Opens the file at `path` for reading. The caller must check that the file is still regular.
    pub(super) fn open_file(&self, path: &str, parent: &mut Parent) -> Result<File, FlowError> {
        let (open, name) = self.parent_of(path, parent)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = match openat(open, name, flags, Mode::empty()) {
            Err(Errno::ACCESS) => chmodat(open, name, Mode::RUSR | Mode::WUSR, AtFlags::empty())
                .and_then(|()| openat(open, name, flags, Mode::empty())),
            opened => opened,
        };
        opened
            .map(File::from)
            .map_err(|error| InfrastructureError::scratch(path)(error.into()))
    }

    /// The directory of the file at `path`, from the cache `parent` if possible, and the name of the file.
    fn parent_of<'a, 'b>(
        &self,
        path: &'a str,
        parent: &'b mut Parent,
    ) -> Result<(&'b OwnedFd, &'a str), FlowError> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        if parent.as_ref().is_none_or(|(known, _)| known != directory) {
            *parent = None; // one descriptor at a time
        }
        let open = match parent {
            Some((_, open)) => open,
            none => {
                &none
                    .insert((directory.to_owned(), self.descend(directory)?))
                    .1
            }
        };
        Ok((open, name))
    }
}
