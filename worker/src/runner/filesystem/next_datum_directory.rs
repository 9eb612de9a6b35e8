//! The directory in `/tmp` where a batch command finds `next-datum` and its socket.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{UnmountFlags, mount_bind, unmount};

use super::mounted_inputs::MountedInputs;
use super::remove;
use crate::runner::next_datum::NAME;

pub(in crate::runner) const NEXT_DATUM_DIRECTORY: &str = ".drover";

/// Provides `next-datum` in the directory until dropped. The directory itself is removed with the contents of `/tmp`.
pub(super) struct NextDatumDirectory {
    /// Descriptor of the mounted binary.
    mounted: Option<OwnedFd>,
}

impl NextDatumDirectory {
    /// Mounts our own binary, which the command may be unable to reach at its path.
    pub(super) fn mounted(tmp: &Path, mounted: &MountedInputs) -> io::Result<Self> {
        let place = make(tmp)?;
        File::create_new(&place)?;
        mount_bind(&*mounted.reach(&program()?), &place)?;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        Ok(Self {
            mounted: Some(openat(CWD, &place, flags, Mode::empty())?),
        })
    }

    /// Creates a link to our own binary.
    pub(super) fn linked(tmp: &Path) -> io::Result<Self> {
        symlink(program()?, make(tmp)?)?;
        Ok(Self { mounted: None })
    }
}

impl Drop for NextDatumDirectory {
    fn drop(&mut self) {
        if let Some(mounted) = &self.mounted {
            // By descriptor: the command may have moved the directory.
            let place = format!("/proc/self/fd/{}", mounted.as_raw_fd());
            let _ = unmount(place, UnmountFlags::DETACH);
        }
    }
}

/// Creates the directory and returns the path for `next-datum` in it.
fn make(tmp: &Path) -> io::Result<PathBuf> {
    remove::remove(File::open(tmp)?, Path::new(NEXT_DATUM_DIRECTORY))?;
    let directory = tmp.join(NEXT_DATUM_DIRECTORY);
    fs::create_dir(&directory)?;
    fs::set_permissions(&directory, Permissions::from_mode(0o755))?;
    Ok(directory.join(NAME))
}

fn program() -> io::Result<PathBuf> {
    fs::read_link("/proc/self/exe")
}
