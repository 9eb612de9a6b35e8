//! Directories of Drover's own, covered by empty read-only directories in the mount namespace of commands; and files,
//! covered by the null device.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::mount::mount_bind;

/// A covered directory, which the runner still reaches by its descriptor.
pub(super) struct HiddenDirectory {
    path: PathBuf,
    covered: OwnedFd,
}

impl HiddenDirectory {
    /// Covers `path` by the empty directory `cover`; `None` if there is no such directory. A file, which the runner never
    /// reads, is covered for the runner as well; `None` then, too. `visible` is a directory in
    /// `path` that commands must still reach under its own name; `covers` is `cover`, writable.
    pub(super) fn cover(
        path: &Path,
        cover: &Path,
        covers: &OwnedFd,
        visible: Option<&Path>,
    ) -> io::Result<Option<Self>> {
        let Ok(path) = fs::canonicalize(path) else {
            return Ok(None);
        };
        if !path.is_dir() {
            mount_bind("/dev/null", &path)?;
            return Ok(None);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let covered = openat(CWD, &path, flags, Mode::empty())?;
        let hidden = Self { path, covered };
        let below = visible.and_then(|visible| visible.strip_prefix(&hidden.path).ok());
        for directory in below.iter().flat_map(|below| parents_first(below)) {
            mkdirat(covers, directory, Mode::from(0o755))?;
        }
        mount_bind(cover, &hidden.path)?;
        if let (Some(below), Some(visible)) = (below, visible) {
            mount_bind(&*hidden.reach(visible), hidden.path.join(below))?;
        }
        Ok(Some(hidden))
    }

    /// Path under which the current process reaches `path` of the machine.
    pub(super) fn reach<'a>(&self, path: &'a Path) -> Cow<'a, Path> {
        match path.strip_prefix(&self.path) {
            Ok(below) => Cow::Owned(
                Path::new("/proc/self/fd")
                    .join(self.covered.as_raw_fd().to_string())
                    .join(below),
            ),
            Err(_) => Cow::Borrowed(path),
        }
    }

    /// True if `path` lies in the directory.
    pub(super) fn holds(&self, path: &Path) -> bool {
        path.starts_with(&self.path)
    }
}

fn parents_first(path: &Path) -> Vec<&Path> {
    let mut directories: Vec<&Path> = path
        .ancestors()
        .filter(|directory| !directory.as_os_str().is_empty())
        .collect();
    directories.reverse();
    directories
}
