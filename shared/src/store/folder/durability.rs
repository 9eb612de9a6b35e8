//! Forcing writes to the disk.
//!
//! A rename makes a file appear whole to other processes, yet after a power cut its bytes may be missing although its
//! name is there. Only what was forced to the disk before is certain.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open, syncfs};
use rustix::io::Errno;

/// Forces everything written to the file systems of `paths`, which are directories, to the disk. Missing ones are skipped, and so is
/// anything else in their place. Links may spread a store over several file systems, each of which is forced once.
pub(super) fn sync_file_systems(paths: &[PathBuf]) -> io::Result<()> {
    let mut done = BTreeSet::new();
    for path in paths {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = match open(path, flags, Mode::empty()) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
            directory => File::from(directory?),
        };
        if !done.insert(directory.metadata()?.dev()) {
            continue;
        }
        match syncfs(&directory) {
            // A sandbox without the call.
            Err(Errno::NOSYS | Errno::PERM) => rustix::fs::sync(),
            synced => synced?,
        }
    }
    Ok(())
}

/// Forces the file at `path` and its name to the disk.
pub(super) fn persist(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    let Some(parent) = path.parent() else {
        return Ok(());
    };
    match File::open(parent)?.sync_all() {
        // Some network file systems cannot sync a directory; they write names through.
        Err(error)
            if matches!(
                Errno::from_io_error(&error),
                Some(Errno::INVAL | Errno::BADF | Errno::OPNOTSUPP)
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}
