//! The directory in `/tmp` where a command that stays for datum after datum finds `next-datum`, and asks.

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

/// The directory's name.
pub(in crate::runner) const NEXT_DATUM_DIRECTORY: &str = ".drover";

/// What is in the directory, until it is dropped. The directory itself goes with all else in `/tmp`.
pub(super) struct NextDatumDirectory {
    /// What is mounted there.
    mounted: Option<OwnedFd>,
}

impl NextDatumDirectory {
    /// Mounts this very binary, which the command may not be able to reach where it lies.
    pub(super) fn mounted(tmp: &Path, mounted: &MountedInputs) -> io::Result<Self> {
        let place = make(tmp)?;
        File::create_new(&place)?;
        mount_bind(&*mounted.reach(&program()?), &place)?;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        Ok(Self {
            mounted: Some(openat(CWD, &place, flags, Mode::empty())?),
        })
    }

    /// Leaves a link to this very binary.
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

/// Where `next-datum` belongs, in a new directory.
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
