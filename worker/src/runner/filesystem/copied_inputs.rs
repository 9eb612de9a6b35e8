//! Inputs copied into scratch, for machines that grant no namespaces. Where the file system supports reflinks, a copy
//! shares its blocks with the original. Commands cannot change the original through a copy.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::pfs_links;
use super::slot_scratch::{ENV, SlotScratch};
use super::target_check::conflict;
use crate::runner::order::{Mount, MountKind};
use crate::runner::start_error::StartError;

/// Copies of the inputs of a datum.
pub(super) struct CopiedInputs {
    /// Directory of the copies.
    copies: PathBuf,
    /// Path of the inputs for commands: `/pfs`, or the directory of the copies.
    seen_at: PathBuf,
    /// Directory of the second names of FIFOs.
    hidden: PathBuf,
    out: PathBuf,
}

impl CopiedInputs {
    /// Commands see the copies in scratch, where `PFS` points.
    pub(super) fn in_scratch(scratch: &SlotScratch) -> Self {
        Self {
            copies: scratch.pfs(),
            seen_at: scratch.pfs(),
            hidden: scratch.skeleton(),
            out: scratch.out.path().to_owned(),
        }
    }

    /// Commands see the copies at `pfs` through links. `pfs` is an existing directory with nothing in it but links of
    /// slots that are gone.
    pub(super) fn linked_at(pfs: &Path, scratch: &SlotScratch) -> Result<Self, String> {
        let usable = |error: io::Error| {
            format!(
                "{} cannot hold links: {error}; mount an empty, writable volume there",
                pfs.display()
            )
        };
        pfs_links::take_over(pfs, scratch.root())?;
        symlink(scratch.out.path(), pfs.join("out")).map_err(usable)?;
        Ok(Self {
            copies: scratch.pfs(),
            seen_at: pfs.to_owned(),
            hidden: scratch.skeleton(),
            out: scratch.out.path().to_owned(),
        })
    }

    /// Path of the inputs and `out`, as the command sees it.
    pub(super) fn pfs(&self) -> &Path {
        &self.seen_at
    }

    /// Directory of the copies.
    pub(super) fn copies(&self) -> &Path {
        &self.copies
    }

    /// Directory of the second names of FIFOs.
    pub(super) fn hidden(&self) -> &Path {
        &self.hidden
    }

    /// Removes the inputs of the last attempt.
    pub(super) fn discard(&mut self) -> Result<(), String> {
        SlotScratch::empty(&self.hidden)?;
        SlotScratch::empty(&self.copies)?;
        SlotScratch::empty(&self.seen_at)
    }

    /// Copies `mounts` and links `out`.
    pub(super) fn build(&mut self, mounts: &[Mount]) -> Result<(), StartError> {
        for mount in mounts {
            self.copy(mount, mounts)?;
        }
        self.name_fifos_again(mounts)
            .map_err(|error| StartError::Slot(format!("FIFOs cannot be made: {error}")))?;
        self.link().map_err(|error| {
            let place = self.seen_at.display();
            StartError::Slot(format!("links cannot be made in {place}: {error}"))
        })
    }

    /// Writes `variables` to the `.env` file beside the inputs.
    pub(super) fn write_env(&self, variables: &str) -> io::Result<()> {
        let mut file = File::create_new(self.seen_at.join(ENV))?;
        file.write_all(variables.as_bytes())
    }

    fn copy(&self, input: &Mount, all: &[Mount]) -> Result<(), StartError> {
        let target = self.copies.join(&input.target);
        let made =
            make_parents(&self.copies, &input.target).and_then(|()| make_copy(input, &target));
        made.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                StartError::Order(conflict(input, all))
            }
            _ => StartError::of(
                &error,
                format!(
                    "input {} cannot be copied to {}: {error}",
                    input.source.display(),
                    target.display()
                ),
            ),
        })
    }

    fn name_fifos_again(&self, mounts: &[Mount]) -> io::Result<()> {
        let mut fifos = mounts
            .iter()
            .filter(|mount| mount.kind == MountKind::Fifo)
            .enumerate();
        fifos.try_for_each(|(number, mount)| {
            fs::hard_link(
                self.copies.join(&mount.target),
                self.hidden.join(number.to_string()),
            )
        })
    }

    /// Links the top entries of the copies, and `out`, to the path where commands look for them.
    fn link(&self) -> io::Result<()> {
        if self.seen_at != self.copies {
            for entry in fs::read_dir(&self.copies)? {
                let entry = entry?;
                symlink(entry.path(), self.seen_at.join(entry.file_name()))?;
            }
        }
        symlink(&self.out, self.seen_at.join("out"))
    }
}

/// Makes the directories between `copies` and `copies/target`, never `copies` itself or the directories above: after the
/// death of the worker, another worker may have removed these, and they must not come back.
fn make_parents(copies: &Path, target: &Path) -> io::Result<()> {
    let above = target.ancestors().skip(1).collect::<Vec<_>>();
    for directory in above
        .into_iter()
        .rev()
        .filter(|path| *path != Path::new(""))
    {
        match fs::create_dir(copies.join(directory)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    Ok(())
}

fn make_copy(input: &Mount, target: &Path) -> io::Result<()> {
    match input.kind {
        MountKind::Dir => copy_directory(&input.source, target),
        MountKind::File => copy_file(&input.source, target),
        MountKind::Empty => File::create_new(target)
            .and_then(|file| file.set_permissions(Permissions::from_mode(0o444))),
        MountKind::EmptyDir => fs::create_dir_all(target),
        MountKind::Fifo => Ok(mknodat(CWD, target, FileType::Fifo, Mode::from(0o644), 0)?),
    }
}

fn copy_file(source: &Path, target: &Path) -> io::Result<()> {
    let mut copy = File::create_new(target)?;
    io::copy(&mut File::open(source)?, &mut copy)?;
    copy.set_permissions(Permissions::from_mode(0o444))
}

fn copy_directory(source: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir(target)?;
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        let (from, to) = (entry.path(), target.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_directory(&from, &to)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(from)?, to)?;
        } else {
            copy_file(&from, &to)?;
        }
    }
    Ok(())
}
