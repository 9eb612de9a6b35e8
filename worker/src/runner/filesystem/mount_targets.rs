//! Mount targets: the directories and files of a `/pfs` in a tmpfs that only the runner can write to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, linkat, mkdirat, mknodat, openat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

use super::remove;
use super::slot_scratch::{ENV, PFS};
use super::target_check::conflict;
use crate::runner::order::{Mount, MountKind};
use crate::runner::start_error::StartError;

/// Directory of the tmpfs with the second names of FIFOs.
pub(super) const HIDDEN: &str = "hidden";

/// Up to the number, inputs are unmounted individually; above, unmounting the whole `/pfs` is faster.
const FEW: usize = 2;

/// The directory of `/pfs` with mounts of directories whose files are shown as links.
const DIRECTORIES: &str = ".inputs";

/// A link in place of a file mount.
#[derive(Debug, Eq, PartialEq)]
pub(in crate::runner) struct FileLink {
    /// Relative to `/pfs`.
    target: PathBuf,
    /// The file in a mount of its directory.
    file: PathBuf,
}

/// Pure: replaces file mounts by links into mounts of their directories.
pub(in crate::runner) fn link_files(mounts: &[Mount]) -> (Vec<Mount>, Vec<FileLink>) {
    let (mut others, mut links) = (Vec::new(), Vec::new());
    let mut directories: BTreeMap<&Path, PathBuf> = BTreeMap::new();
    for mount in mounts {
        match (mount.source.parent(), mount.source.file_name()) {
            (Some(directory), Some(name)) if mount.kind == MountKind::File => {
                let number = directories.len().to_string();
                let place = directories
                    .entry(directory)
                    .or_insert_with(|| Path::new(DIRECTORIES).join(number));
                links.push(FileLink {
                    target: mount.target.clone(),
                    file: Path::new(PFS).join(&*place).join(name),
                });
            }
            _ => others.push(mount.clone()),
        }
    }
    others.extend(directories.into_iter().map(|(directory, place)| Mount {
        source: directory.to_owned(),
        target: place,
        kind: MountKind::Dir,
    }));
    (others, links)
}

/// The mount targets of one `/pfs`.
pub(super) struct MountTargets {
    /// Name of the directory in the tmpfs.
    pub(super) name: String,
    root: OwnedFd,
    /// Parent directories of the targets, relative to `root`.
    parents: BTreeSet<PathBuf>,
    /// In order of creation; the last target may be missing after an error.
    created: Vec<MountTarget>,
}

struct MountTarget {
    /// Relative to `/pfs`.
    target: PathBuf,
    kind: MountKind,
}

impl MountTargets {
    /// Creates a new `/pfs` for inputs like `mounts`, with a target for `out`.
    pub(super) fn begin(
        tmpfs: &OwnedFd,
        name: String,
        mounts: &[Mount],
    ) -> rustix::io::Result<Self> {
        mkdirat(tmpfs, &name, Mode::from(0o755))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(tmpfs, &name, flags, Mode::empty())?;
        mkdirat(&root, "out", Mode::from(0o755))?;
        Ok(Self {
            name,
            root,
            parents: parents(mounts),
            created: Vec::new(),
        })
    }

    /// True if `mounts` have the same parent directories.
    pub(super) fn suit(&self, mounts: &[Mount]) -> bool {
        self.parents == parents(mounts)
    }

    /// Creates the targets of `mounts`.
    pub(super) fn add(&mut self, tmpfs: &OwnedFd, mounts: &[Mount]) -> Result<(), StartError> {
        for mount in mounts {
            self.created.push(MountTarget {
                target: mount.target.clone(),
                kind: mount.kind,
            });
            self.make(mount).map_err(|error| match error {
                Errno::EXIST | Errno::NOTDIR => StartError::Order(conflict(mount, mounts)),
                other => StartError::of(
                    &other.into(),
                    format!("input {} cannot be shown: {other}", mount.target.display()),
                ),
            })?;
        }
        self.name_fifos_again(tmpfs, mounts).map_err(|error| {
            StartError::Slot(format!("FIFOs cannot be named a second time: {error}"))
        })
    }

    /// Creates links in place of file mounts.
    pub(super) fn add_links(&mut self, links: &[FileLink]) -> Result<(), StartError> {
        links.iter().try_for_each(|link| {
            self.make_link(link).map_err(|error| {
                let message = format!("input {} cannot be shown: {error}", link.target.display());
                match error {
                    Errno::EXIST | Errno::NOTDIR => StartError::Order(message),
                    other => StartError::of(&other.into(), message),
                }
            })
        })
    }

    fn make_link(&self, link: &FileLink) -> rustix::io::Result<()> {
        match symlinkat(&link.file, &self.root, &link.target) {
            Err(Errno::NOENT) => {
                self.make_parents(&link.target)?;
                symlinkat(&link.file, &self.root, &link.target)
            }
            done => done,
        }
    }

    /// Writes `variables` to the `.env` file beside the inputs.
    pub(super) fn write_env(&mut self, variables: &str) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&self.root, ENV, flags, Mode::from(0o444))?;
        self.created.push(MountTarget {
            target: ENV.into(),
            kind: MountKind::Empty,
        });
        File::from(file).write_all(variables.as_bytes())
    }

    /// True if [`clear`](Self::clear) is faster than a new `/pfs`.
    pub(super) fn are_few(&self) -> bool {
        let fifo = |point: &MountTarget| point.kind == MountKind::Fifo;
        self.created.len() <= FEW && !self.created.iter().any(fifo)
    }

    /// Unmounts the inputs and removes their targets; the parent directories stay. After an error, call
    /// [`remove`](Self::remove).
    pub(super) fn clear(&mut self) -> rustix::io::Result<()> {
        while let Some(MountTarget { target, kind }) = self.created.pop() {
            if matches!(kind, MountKind::File | MountKind::Dir) {
                unmount(
                    Path::new(PFS).join(&target),
                    UnmountFlags::DETACH | UnmountFlags::NOFOLLOW,
                )?;
            }
            let flags = match kind {
                MountKind::Dir | MountKind::EmptyDir => AtFlags::REMOVEDIR,
                MountKind::File | MountKind::Empty | MountKind::Fifo => AtFlags::empty(),
            };
            unlinkat(&self.root, &target, flags)?;
        }
        Ok(())
    }

    /// Removes the whole directory.
    pub(super) fn remove(self, tmpfs: &OwnedFd) -> io::Result<()> {
        remove::remove(tmpfs, Path::new(&self.name))?;
        remove::remove(tmpfs, Path::new(HIDDEN))
    }

    /// Creates the target of `input`, with its parent directories where missing.
    fn make(&self, input: &Mount) -> rustix::io::Result<()> {
        match self.make_node(input) {
            Err(Errno::NOENT) => {
                self.make_parents(&input.target)?;
                self.make_node(input)
            }
            done => done,
        }
    }

    fn make_node(&self, input: &Mount) -> rustix::io::Result<()> {
        let node = |kind, mode: u32| mknodat(&self.root, &input.target, kind, Mode::from(mode), 0);
        match input.kind {
            MountKind::Dir | MountKind::EmptyDir => {
                mkdirat(&self.root, &input.target, Mode::from(0o755))
            }
            MountKind::File | MountKind::Empty => node(FileType::RegularFile, 0o444),
            MountKind::Fifo => node(FileType::Fifo, 0o644),
        }
    }

    fn make_parents(&self, target: &Path) -> rustix::io::Result<()> {
        let above: Vec<&Path> = target
            .ancestors()
            .skip(1)
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
        for directory in above.into_iter().rev() {
            match mkdirat(&self.root, directory, Mode::from(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Links each FIFO to a second name that commands cannot see.
    fn name_fifos_again(&self, tmpfs: &OwnedFd, mounts: &[Mount]) -> rustix::io::Result<()> {
        let mut fifos = mounts
            .iter()
            .filter(|mount| mount.kind == MountKind::Fifo)
            .enumerate()
            .peekable();
        if fifos.peek().is_some() {
            mkdirat(tmpfs, HIDDEN, Mode::RWXU)?;
        }
        fifos.try_for_each(|(number, mount)| {
            let name = Path::new(HIDDEN).join(number.to_string());
            linkat(&self.root, &mount.target, tmpfs, &name, AtFlags::empty())
        })
    }
}

/// The parent directories of the targets of `mounts`.
fn parents(mounts: &[Mount]) -> BTreeSet<PathBuf> {
    let above = mounts.iter().filter_map(|mount| mount.target.parent());
    above.map(Path::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_become_links_into_one_mount_of_each_directory() {
        let mount = |source: &str, target: &str, kind| Mount {
            source: source.into(),
            target: target.into(),
            kind,
        };
        let link = |target: &str, file: &str| FileLink {
            target: target.into(),
            file: file.into(),
        };
        let (mounts, links) = link_files(&[
            mount("/s/a/1", "in/1", MountKind::File),
            mount("/s/b/2", "in/2", MountKind::File),
            mount("/s/c", "dir", MountKind::Dir),
            mount("/s/a/3", "in/deep/3", MountKind::File),
        ]);
        let expected = [
            mount("/s/c", "dir", MountKind::Dir),
            mount("/s/a", ".inputs/0", MountKind::Dir),
            mount("/s/b", ".inputs/1", MountKind::Dir),
        ];
        assert_eq!(mounts, expected);
        let expected = [
            link("in/1", "/pfs/.inputs/0/1"),
            link("in/2", "/pfs/.inputs/1/2"),
            link("in/deep/3", "/pfs/.inputs/0/3"),
        ];
        assert_eq!(links, expected);
    }
}
