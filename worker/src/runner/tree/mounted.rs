//! A datum's `/pfs` made of mounts: nothing is copied, and nobody outside the runner sees it.
//!
//! Mount points live in a tmpfs that only the runner can write to. Each attempt gets a directory of it as its
//! `/pfs`, so a single unmount takes everything away, however many inputs there were.

use std::borrow::Cow;
use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, linkat, mkdirat, mknodat, openat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, unmount};

use super::mountinfo::MountPoints;
use super::prepare::PFS;
use super::remove;
use super::scratch::{ENV, Scratch};
use super::target::conflict;
use super::view::{self, PrivateTmp};
use crate::runner::hindrance::Hindrance;
use crate::runner::order::{Mount, MountKind};
use crate::runner::settings::{RunnerSettings, Sandbox};

/// The directory of the tmpfs with the second names of FIFOs.
const HIDDEN: &str = "hidden";

/// `/pfs` by mounts.
pub(super) struct Mounted {
    /// The tmpfs, writable.
    points: OwnedFd,
    /// The same one, read-only: what is bound from there is read-only too.
    skeleton: PathBuf,
    out: PathBuf,
    tmp: Option<PrivateTmp>,
    foreign: MountPoints,
    attempts: u64,
    built: Option<String>,
}

impl Mounted {
    /// Sets up what stays from datum to datum.
    pub(super) fn set_up(
        scratch: &Scratch,
        sandbox: Sandbox,
        settings: &RunnerSettings,
    ) -> Result<Self, String> {
        let here = env::current_dir()
            .map_err(|error| format!("the working directory is unknown: {error}"))?;
        let foreign =
            MountPoints::read().map_err(|error| format!("mounts cannot be listed: {error}"))?;
        view::part_from_the_machine()?;
        if sandbox == Sandbox::Namespaces {
            view::mount_proc()?;
        }
        let points = mount_skeleton(&scratch.skeleton())
            .map_err(|error| format!("a tmpfs cannot be mounted: {error}"))?;
        view::provide_pfs(&scratch.new_root())?;
        let needed: Vec<PathBuf> = settings.keep.iter().chain([&here]).cloned().collect();
        let tmp = PrivateTmp::mount(scratch.tmp(), &needed)?;
        env::set_current_dir(&here)
            .map_err(|error| format!("working directory {}: {error}", here.display()))?;
        let (skeleton, out) = (scratch.skeleton(), scratch.out().to_owned());
        Ok(Self {
            points,
            skeleton,
            out,
            tmp,
            foreign,
            attempts: 0,
            built: None,
        })
    }

    /// Whether commands have a `/tmp` of their own.
    pub(super) fn has_private_tmp(&self) -> bool {
        self.tmp.is_some()
    }

    /// The names in `/tmp` that are not the datum's.
    pub(super) fn kept_in_tmp(&self) -> &[PathBuf] {
        self.tmp.as_ref().map_or(&[], PrivateTmp::kept)
    }

    /// How this process reaches `path` of the machine.
    pub(super) fn reach<'a>(&self, path: &'a Path) -> Cow<'a, Path> {
        self.tmp
            .as_ref()
            .map_or(Cow::Borrowed(path), |tmp| tmp.reach(path))
    }

    /// Takes the last attempt's `/pfs` away.
    pub(super) fn discard(&mut self) -> Result<(), String> {
        let Some(built) = self.built.take() else {
            return Ok(());
        };
        match unmount(PFS, UnmountFlags::DETACH) {
            Ok(()) | Err(Errno::INVAL) => {} // the command itself may have unmounted it
            Err(error) => return Err(format!("/pfs cannot be unmounted: {error}")),
        }
        remove::remove(&self.points, Path::new(&built))
            .and_then(|()| remove::remove(&self.points, Path::new(HIDDEN)))
            .map_err(|error| format!("mount points cannot be removed: {error}"))
    }

    /// Shows `mounts` and an `out` at `/pfs`.
    pub(super) fn build(&mut self, mounts: &[Mount]) -> Result<(), Hindrance> {
        self.attempts += 1;
        let name = self.attempts.to_string();
        self.built = Some(name.clone());
        self.make_points(&name, mounts)?;
        let directory = self.skeleton.join(name);
        self.bind(&directory, Path::new(PFS))?;
        self.bind(&self.out, &Path::new(PFS).join("out"))?;
        mounts.iter().try_for_each(|mount| self.show(mount))
    }

    /// Puts `variables` beside the inputs that are shown.
    pub(super) fn write_env(&self, variables: &str) -> io::Result<()> {
        let place = Path::new(self.built.as_deref().unwrap_or_default()).join(ENV);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&self.points, &place, flags, Mode::from(0o444))?;
        File::from(file).write_all(variables.as_bytes())
    }

    /// Makes the directories and files to mount upon.
    fn make_points(&self, name: &str, mounts: &[Mount]) -> Result<(), Hindrance> {
        let failed =
            |error: Errno| Hindrance::Slot(format!("mount points cannot be made: {error}"));
        mkdirat(&self.points, name, Mode::from(0o755)).map_err(failed)?;
        let root = openat(
            &self.points,
            name,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(failed)?;
        mkdirat(&root, "out", Mode::from(0o755)).map_err(failed)?;
        for mount in mounts {
            make_point(&root, mount).map_err(|error| match error {
                Errno::EXIST | Errno::NOTDIR => Hindrance::Order(conflict(mount, mounts)),
                other => Hindrance::of(
                    &other.into(),
                    format!("input {} cannot be shown: {other}", mount.target.display()),
                ),
            })?;
        }
        self.name_fifos_again(&root, mounts).map_err(failed)
    }

    /// Gives each FIFO a second name where commands do not see it.
    fn name_fifos_again(&self, root: &OwnedFd, mounts: &[Mount]) -> rustix::io::Result<()> {
        let mut fifos = mounts
            .iter()
            .filter(|mount| mount.kind == MountKind::Fifo)
            .enumerate()
            .peekable();
        if fifos.peek().is_some() {
            mkdirat(&self.points, HIDDEN, Mode::RWXU)?;
        }
        fifos.try_for_each(|(number, mount)| {
            let name = Path::new(HIDDEN).join(number.to_string());
            linkat(root, &mount.target, &self.points, &name, AtFlags::empty())
        })
    }

    /// The directory of the FIFOs' second names.
    pub(super) fn hidden(&self) -> PathBuf {
        self.reach(&self.skeleton).join(HIDDEN)
    }

    fn bind(&self, source: &Path, target: &Path) -> Result<(), Hindrance> {
        mount_bind(&*self.reach(source), target).map_err(|error| {
            Hindrance::Slot(format!("{} cannot be mounted: {error}", target.display()))
        })
    }

    /// Mounts one input, read-only.
    fn show(&self, input: &Mount) -> Result<(), Hindrance> {
        let target = Path::new(PFS).join(&input.target);
        let source = self.reach(&input.source);
        match input.kind {
            MountKind::Empty | MountKind::Fifo => Ok(()),
            MountKind::File => {
                mount_bind(&*source, &target).and_then(|()| view::make_read_only(&target))
            }
            MountKind::Dir => mount_bind_recursive(&*source, &target).and_then(|()| {
                view::make_read_only(&target)?;
                self.foreign
                    .below(&input.source)
                    .try_for_each(|below| view::make_read_only(&target.join(below)))
            }),
        }
        .map_err(|error| {
            let message = format!(
                "input {} cannot be shown at {}: {error}",
                input.source.display(),
                target.display()
            );
            Hindrance::of(&error.into(), message)
        })
    }
}

/// Mounts the tmpfs twice, one upon the other: a writable one for us, a read-only one for everybody.
fn mount_skeleton(place: &Path) -> rustix::io::Result<OwnedFd> {
    mount(
        "tmpfs",
        place,
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        Some(c"mode=755"),
    )?;
    let writable = openat(
        CWD,
        place,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    mount_bind(place, place)?;
    view::make_read_only(place)?;
    Ok(writable)
}

/// Makes what `input` is mounted upon, or is itself when there is nothing to mount.
fn make_point(root: &OwnedFd, input: &Mount) -> rustix::io::Result<()> {
    match make_node(root, input) {
        Err(Errno::NOENT) => {
            make_parents(root, &input.target)?;
            make_node(root, input)
        }
        done => done,
    }
}

fn make_node(root: &OwnedFd, input: &Mount) -> rustix::io::Result<()> {
    match input.kind {
        MountKind::Dir => mkdirat(root, &input.target, Mode::from(0o755)),
        MountKind::File | MountKind::Empty => mknodat(
            root,
            &input.target,
            FileType::RegularFile,
            Mode::from(0o444),
            0,
        ),
        MountKind::Fifo => mknodat(root, &input.target, FileType::Fifo, Mode::from(0o644), 0),
    }
}

fn make_parents(root: &OwnedFd, target: &Path) -> rustix::io::Result<()> {
    let above: Vec<&Path> = target
        .ancestors()
        .skip(1)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    for directory in above.into_iter().rev() {
        match mkdirat(root, directory, Mode::from(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
