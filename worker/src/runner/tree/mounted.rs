//! A datum's `/pfs` made of mounts: nothing is copied, and nobody outside the runner sees it.
//!
//! Mount points live in a tmpfs that only the runner can write to, and `/pfs` is a directory of it. It stays for the next
//! datum if that one's inputs lie in the same directories, as those of one repo often do: mounts and directories are most
//! of what showing a short datum costs. Where the command changed any mount, or there are many, a single unmount takes
//! everything away, and the next datum gets another directory.

use std::borrow::Cow;
use std::env;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, unmount};

use super::mountinfo::{MountChanges, MountPoints};
use super::points::{HIDDEN, Points};
use super::prepare::PFS;
use super::scratch::Scratch;
use super::view::{self, PrivateTmp};
use crate::runner::hindrance::Hindrance;
use crate::runner::order::{Mount, MountKind};
use crate::runner::settings::{RunnerSettings, Sandbox};

/// `/pfs` by mounts.
pub(super) struct Mounted {
    /// The tmpfs, writable.
    tmpfs: OwnedFd,
    /// The same one, read-only: what is bound from there is read-only too.
    skeleton: PathBuf,
    out: PathBuf,
    tmp: Option<PrivateTmp>,
    foreign: MountPoints,
    changes: MountChanges,
    /// How many directories were made.
    made: u64,
    /// What is at `/pfs`.
    points: Option<Points>,
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
        let tmpfs = mount_skeleton(&scratch.skeleton())
            .map_err(|error| format!("a tmpfs cannot be mounted: {error}"))?;
        view::provide_pfs(&scratch.new_root())?;
        let needed: Vec<PathBuf> = settings.keep.iter().chain([&here]).cloned().collect();
        let tmp = PrivateTmp::mount(scratch.tmp.path(), &needed)?;
        env::set_current_dir(&here)
            .map_err(|error| format!("working directory {}: {error}", here.display()))?;
        let changes =
            MountChanges::watch().map_err(|error| format!("mounts cannot be watched: {error}"))?;
        let (skeleton, out) = (scratch.skeleton(), scratch.out.path().to_owned());
        Ok(Self {
            tmpfs,
            skeleton,
            out,
            tmp,
            foreign,
            changes,
            made: 0,
            points: None,
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

    /// Takes the last attempt's inputs away.
    pub(super) fn discard(&mut self) -> Result<(), String> {
        let untouched = !self.changes.any();
        let few = self
            .points
            .as_mut()
            .filter(|points| untouched && points.are_few());
        match few.map(Points::clear) {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => self.dismantle(),
        }
    }

    /// Takes the last attempt's `/pfs` away.
    pub(super) fn dismantle(&mut self) -> Result<(), String> {
        let Some(points) = self.points.take() else {
            return Ok(());
        };
        match unmount(PFS, UnmountFlags::DETACH) {
            Ok(()) | Err(Errno::INVAL) => {} // the command itself may have unmounted it
            Err(error) => return Err(format!("/pfs cannot be unmounted: {error}")),
        }
        points
            .remove(&self.tmpfs)
            .map_err(|error| format!("mount points cannot be removed: {error}"))
    }

    /// Shows `mounts` and an `out` at `/pfs`, where nothing of the last attempt is left.
    pub(super) fn build(&mut self, mounts: &[Mount]) -> Result<(), Hindrance> {
        if !self
            .points
            .as_ref()
            .is_some_and(|points| points.suit(mounts))
        {
            self.dismantle().map_err(Hindrance::Slot)?;
            self.begin(mounts)?;
        }
        if let Some(points) = &mut self.points {
            points.add(&self.tmpfs, mounts)?;
        }
        mounts.iter().try_for_each(|mount| self.show(mount))?;
        self.changes.any(); // these were our own
        Ok(())
    }

    /// Begins another `/pfs`, for inputs like `mounts`.
    fn begin(&mut self, mounts: &[Mount]) -> Result<(), Hindrance> {
        self.made += 1;
        let points = Points::begin(&self.tmpfs, self.made.to_string(), mounts)
            .map_err(|error| Hindrance::Slot(format!("mount points cannot be made: {error}")))?;
        let directory = self.skeleton.join(&points.name);
        self.points = Some(points);
        self.bind(&directory, Path::new(PFS))?;
        self.bind(&self.out, &Path::new(PFS).join("out"))
    }

    /// Puts `variables` beside the inputs that are shown.
    pub(super) fn write_env(&mut self, variables: &str) -> io::Result<()> {
        match &mut self.points {
            Some(points) => points.write_env(variables),
            None => Err(io::ErrorKind::NotFound.into()),
        }
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
