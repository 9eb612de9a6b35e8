//! Second names for files, and names that must be new, where file system and kernel allow them.
//!
//! exFAT, SMB and some FUSE file systems have no hard links; every file system limits the links of a file (65,000 on
//! ext4); and `fs.protected_hardlinks` refuses links to files of other users. Nothing else in the store makes a hard
//! link, so callers have one error to fall back on, for which [`is_refused`] is true.

use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// Makes `to` a second name of the file `from`.
pub(in crate::store::folder) fn link(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(test)]
    testing::refuse()?;
    fs::hard_link(from, to)
}

/// Gives the file `from` the name `to`, which must be new; of several racers exactly one succeeds. True if the old name
/// is gone.
pub(in crate::store::folder) fn rename_to_new(from: &Path, to: &Path) -> io::Result<bool> {
    match rename_without_replacing(from, to) {
        // File systems without `RENAME_NOREPLACE` (NFS) have links, which do not replace either.
        Err(Errno::INVAL | Errno::NOSYS) => link(from, to).map(|()| false),
        renamed => Ok(renamed.map(|()| true)?),
    }
}

fn rename_without_replacing(from: &Path, to: &Path) -> Result<(), Errno> {
    #[cfg(test)]
    testing::refuse().map_err(|_| Errno::INVAL)?;
    renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)
}

/// True if the file can have no second name, whatever its names are.
pub(in crate::store::folder) fn is_refused(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    matches!(
        error.kind(),
        CrossesDevices | PermissionDenied | TooManyLinks | Unsupported
    )
}

/// A file system without hard links, for the tests of the current thread.
#[cfg(test)]
pub(in crate::store::folder) mod testing {
    use std::cell::Cell;
    use std::io;

    use rustix::io::Errno;

    thread_local! {
        static REFUSAL: Cell<Option<Errno>> = const { Cell::new(None) };
    }

    /// Runs `work` while every link is refused with `error`.
    pub(in crate::store::folder) fn without_links<T>(error: Errno, work: impl FnOnce() -> T) -> T {
        REFUSAL.set(Some(error));
        let done = work();
        REFUSAL.set(None);
        done
    }

    pub(super) fn refuse() -> io::Result<()> {
        REFUSAL.get().map_or(Ok(()), |error| Err(error.into()))
    }
}
