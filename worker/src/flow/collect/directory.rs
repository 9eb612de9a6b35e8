//! A directory of the output, held open: whoever works by open directories cannot be led elsewhere by a link that
//! takes a directory's place.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, RawMode, chmodat, fchmod, open, openat, renameat};
use rustix::io::Errno;

use crate::flow::{Failure, Trouble};

const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// What a directory needs to have for its files to be taken out.
const ACCESSIBLE: Mode = Mode::from_bits_retain(0o700 as RawMode);

/// The output directory of a slot.
#[derive(Debug)]
pub(super) struct Directory {
    root: OwnedFd,
}

/// The directory that a file was last taken out of: its path below the root, and itself.
pub(super) type Parent = Option<(String, OwnedFd)>;

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        match open(path, FLAGS, Mode::empty()) {
            Ok(root) => Ok(Self { root }),
            Err(error) => Err(Trouble::scratch(path)(error.into())),
        }
    }

    /// The directory `below` the root, `""` for the root itself.
    pub(super) fn descend(&self, below: &str) -> Result<OwnedFd, Failure> {
        self.step_down(below)
            .map_err(|error| Trouble::scratch(below)(error.into()))
    }

    fn step_down(&self, below: &str) -> rustix::io::Result<OwnedFd> {
        let mut at = openat(&self.root, ".", FLAGS, Mode::empty())?;
        for name in below.split('/').filter(|name| !name.is_empty()) {
            at = match openat(&at, name, FLAGS, Mode::empty()) {
                // The command may have closed its own directory to us.
                Err(Errno::ACCESS) => {
                    chmodat(&at, name, ACCESSIBLE, AtFlags::empty())?;
                    openat(&at, name, FLAGS, Mode::empty())?
                }
                opened => opened?,
            };
        }
        Ok(at)
    }

    /// Moves the file at `path` to `place`, on the same file system. `parent` is kept from call to call.
    pub(super) fn move_out(
        &self,
        path: &str,
        place: &Path,
        parent: &mut Parent,
    ) -> Result<(), Failure> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let open = match parent.take() {
            Some((known, open)) if known == directory => open,
            _ => self.descend(directory)?,
        };
        let moved = match renameat(&open, name, rustix::fs::CWD, place) {
            Err(Errno::ACCESS) => fchmod(&open, ACCESSIBLE)
                .and_then(|()| renameat(&open, name, rustix::fs::CWD, place)),
            moved => moved,
        };
        *parent = Some((directory.to_owned(), open));
        moved.map_err(|error| Trouble::scratch(path)(error.into()))
    }
}
