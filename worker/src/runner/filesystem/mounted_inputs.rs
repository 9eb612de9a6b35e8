//! A `/pfs` made of mounts: nothing is copied, and no process outside the runner sees the mounts.
//!
//! Mount targets lie in a tmpfs that only the runner can write to; `/pfs` is a directory of the tmpfs. If the inputs
//! of the next datum have the same parent directories, `/pfs` stays and only the inputs are exchanged: mounts and
//! directories are most of the cost of a short datum. If the command changed a mount, or there are many inputs, a
//! single unmount removes everything and the next datum gets a new directory.

use std::borrow::Cow;
use std::env;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
    mount_change, unmount,
};

use super::hidden_directory::HiddenDirectory;
use super::mount_namespace::{self, PrivateDirectory, SharedMemoryMount};
use super::mount_targets::{HIDDEN, MountTargets, link_files};
use super::mountinfo::{HostMounts, MountChanges, MountPoints};
use super::slot_scratch::{PFS, SlotScratch};
use crate::runner::order::{Mount, MountKind};
use crate::runner::settings::{RunnerSettings, Sandbox};
use crate::runner::start_error::StartError;

/// A `/pfs` made of mounts.
pub(super) struct MountedInputs {
    skeleton: Skeleton,
    out: PathBuf,
    tmp: Option<PrivateDirectory>,
    shared_memory: Option<SharedMemoryMount>,
    hidden: Vec<HiddenDirectory>,
    host: HostMounts,
    changes: MountChanges,
    max_file_mounts: usize,
    /// Number of `/pfs` directories created so far.
    created: u64,
    /// The targets currently mounted at `/pfs`.
    targets: Option<MountTargets>,
}

impl MountedInputs {
    /// Sets up the mounts that stay from datum to datum.
    pub(super) fn set_up(
        scratch: &SlotScratch,
        sandbox: Sandbox,
        settings: &RunnerSettings,
    ) -> Result<Self, String> {
        let working_dir = env::current_dir()
            .map_err(|error| format!("the working directory is unknown: {error}"))?;
        let host =
            HostMounts::watch().map_err(|error| format!("mounts cannot be listed: {error}"))?;
        mount_namespace::isolate_mounts()?;
        if sandbox == Sandbox::Namespaces {
            mount_namespace::mount_proc()?;
        }
        if !settings.privileged {
            mount_namespace::protect_kernel()?;
        }
        let skeleton = Skeleton::mount(&scratch.skeleton(), || {
            mount_namespace::provide_pfs(&scratch.new_root())
        })?;
        let needed: Vec<PathBuf> = settings
            .reachable
            .iter()
            .chain([&working_dir])
            .cloned()
            .collect();
        let tmp = mount_namespace::mount_tmp(scratch.tmp.path(), &needed)?;
        let shared_memory = SharedMemoryMount::mount(&needed)?;
        let visible = tmp.is_none().then(|| scratch.tmp.path());
        let hidden = hide(&settings.hidden, &skeleton, visible)
            .map_err(|error| format!("Drover's directories cannot be hidden: {error}"))?;
        env::set_current_dir(&working_dir)
            .map_err(|error| format!("working directory {}: {error}", working_dir.display()))?;
        let changes =
            MountChanges::watch().map_err(|error| format!("mounts cannot be watched: {error}"))?;
        Ok(Self {
            skeleton,
            out: scratch.out.path().to_owned(),
            tmp,
            shared_memory,
            hidden,
            host,
            changes,
            max_file_mounts: settings.max_file_mounts,
            created: 0,
            targets: None,
        })
    }

    /// True if commands have a private `/tmp`.
    pub(super) fn has_private_tmp(&self) -> bool {
        self.tmp.is_some()
    }

    /// Names in `/tmp` that belong to the machine.
    pub(super) fn host_entries_in_tmp(&self) -> &[PathBuf] {
        self.tmp.as_ref().map_or(&[], PrivateDirectory::kept)
    }

    /// Path under which the current process reaches `path` of the machine.
    pub(super) fn reach<'a>(&self, path: &'a Path) -> Cow<'a, Path> {
        if let Some(hidden) = self.hidden.iter().find(|hidden| hidden.holds(path)) {
            return hidden.reach(path);
        }
        let shared_memory = self.shared_memory.as_ref().map(SharedMemoryMount::machines);
        let mut covered = self.tmp.iter().chain(shared_memory);
        covered
            .find(|covered| covered.holds(path))
            .map_or(Cow::Borrowed(path), |covered| covered.reach(path))
    }

    /// Removes the POSIX shared memory of the last datum.
    pub(super) fn empty_shared_memory(&mut self) -> Result<(), String> {
        match &mut self.shared_memory {
            Some(directory) => directory.empty(),
            None => Ok(()),
        }
    }

    /// Removes the inputs of the last attempt.
    pub(super) fn discard(&mut self) -> Result<(), String> {
        let untouched = !self.changes.any();
        let few = self
            .targets
            .as_mut()
            .filter(|targets| untouched && targets.are_few());
        match few.map(MountTargets::clear) {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => self.dismantle(),
        }
    }

    /// Removes the `/pfs` of the last attempt.
    pub(super) fn dismantle(&mut self) -> Result<(), String> {
        let Some(targets) = self.targets.take() else {
            return Ok(());
        };
        match unmount(PFS, UnmountFlags::DETACH) {
            Ok(()) | Err(Errno::INVAL) => {} // the command itself may have unmounted it
            Err(error) => return Err(format!("/pfs cannot be unmounted: {error}")),
        }
        targets
            .remove(&self.skeleton.writable)
            .map_err(|error| format!("mount points cannot be removed: {error}"))
    }

    /// Mounts `mounts` and `out` at `/pfs`, after the last attempt was removed.
    pub(super) fn build(&mut self, mounts: &[Mount]) -> Result<(), StartError> {
        if mounts.len() <= self.max_file_mounts {
            return self.mount_all(mounts);
        }
        let (mounts, links) = link_files(mounts);
        self.mount_all(&mounts)?;
        match &mut self.targets {
            Some(targets) => targets.add_links(&links),
            None => Ok(()),
        }
    }

    fn mount_all(&mut self, mounts: &[Mount]) -> Result<(), StartError> {
        if !self
            .targets
            .as_ref()
            .is_some_and(|targets| targets.suit(mounts))
        {
            self.dismantle().map_err(StartError::Slot)?;
            self.begin(mounts)?;
        }
        if let Some(targets) = &mut self.targets {
            targets.add(&self.skeleton.writable, mounts)?;
        }
        for mount in mounts {
            self.show(mount)?;
        }
        self.changes.any(); // these were our own
        Ok(())
    }

    /// Creates a new `/pfs` for inputs like `mounts`.
    fn begin(&mut self, mounts: &[Mount]) -> Result<(), StartError> {
        self.created += 1;
        let targets =
            MountTargets::begin(&self.skeleton.writable, self.created.to_string(), mounts)
                .map_err(|error| {
                    StartError::Slot(format!("mount points cannot be created: {error}"))
                })?;
        let directory = self.skeleton.path().join(&targets.name);
        self.targets = Some(targets);
        self.bind(&directory, Path::new(PFS))?;
        self.bind(&self.out, &Path::new(PFS).join("out"))
    }

    /// Writes `variables` to the `.env` file beside the inputs.
    pub(super) fn write_env(&mut self, variables: &str) -> io::Result<()> {
        match &mut self.targets {
            Some(targets) => targets.write_env(variables),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Directory with the second names of FIFOs.
    pub(super) fn hidden(&self) -> PathBuf {
        self.skeleton.path().join(HIDDEN)
    }

    fn bind(&self, source: &Path, target: &Path) -> Result<(), StartError> {
        mount_bind(&*self.reach(source), target).map_err(|error| {
            StartError::Slot(format!("{} cannot be mounted: {error}", target.display()))
        })
    }

    /// Mounts a directory read-only, with all file systems mounted below.
    fn show_directory(
        &mut self,
        source: &Path,
        input: &Mount,
        target: &Path,
    ) -> rustix::io::Result<()> {
        mount_bind_recursive(source, target)?;
        // File systems that the machine mounts or unmounts from now on stay out.
        mount_change(
            target,
            MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
        )?;
        mount_namespace::make_read_only(target)?;
        if !self.host.has_mounts_below(&input.source)? {
            return Ok(());
        }
        MountPoints::read()
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?
            .below(target)
            .try_for_each(|below| mount_namespace::make_read_only(&target.join(below)))
    }

    /// Mounts one input read-only.
    fn show(&mut self, input: &Mount) -> Result<(), StartError> {
        let target = Path::new(PFS).join(&input.target);
        let source = self.reach(&input.source).into_owned();
        match input.kind {
            MountKind::Empty | MountKind::EmptyDir | MountKind::Fifo => Ok(()),
            MountKind::File => {
                mount_bind(&source, &target).and_then(|()| mount_namespace::make_read_only(&target))
            }
            MountKind::Dir => self.show_directory(&source, input, &target),
        }
        .map_err(|error| {
            let message = format!(
                "input {} cannot be shown at {}: {error}",
                input.source.display(),
                target.display()
            );
            if error == Errno::NOSPC {
                let message = format!("{message}; the datum needs more mounts than fs.mount-max");
                return StartError::Order(message);
            }
            StartError::of(&error.into(), message)
        })
    }
}

/// Covers `directories` by empty directories of the tmpfs.
fn hide(
    directories: &[PathBuf],
    skeleton: &Skeleton,
    visible: Option<&Path>,
) -> io::Result<Vec<HiddenDirectory>> {
    let mut hidden: Vec<HiddenDirectory> = Vec::new();
    for (number, directory) in directories.iter().enumerate() {
        let name = format!("cover-{number}");
        mkdirat(&skeleton.writable, &name, Mode::from(0o755))?;
        let covers = opened_path(&skeleton.writable, Path::new(&name))?;
        let cover = skeleton.path().join(&name);
        hidden.extend(HiddenDirectory::cover(directory, &cover, &covers, visible)?);
    }
    Ok(hidden)
}

/// A tmpfs for mount targets, mounted twice, one mount over the other. The mounts are held open: private directories may
/// cover the place.
struct Skeleton {
    /// The hidden mount, for the runner.
    writable: OwnedFd,
    /// The visible mount; what is bound from there is read-only as well.
    read_only: OwnedFd,
}

impl Skeleton {
    /// Mounts the tmpfs at `place`, and lets `provide_root` change the root directory: what is mounted below the former root
    /// cannot be bound any more.
    fn mount(
        place: &Path,
        provide_root: impl FnOnce() -> Result<(), String>,
    ) -> Result<Self, String> {
        let failed = |error: Errno| format!("a tmpfs cannot be mounted: {error}");
        let writable = mount_twice(place).map_err(failed)?;
        provide_root()?;
        let read_only = opened_path(CWD, place).map_err(failed)?;
        Ok(Self {
            writable,
            read_only,
        })
    }

    /// Path of the visible mount, for the current process.
    fn path(&self) -> PathBuf {
        mount_namespace::descriptor_path(&self.read_only)
    }
}

/// Mounts a tmpfs, and over it a read-only mount of the same; returns the first.
fn mount_twice(place: &Path) -> rustix::io::Result<OwnedFd> {
    mount(
        "tmpfs",
        place,
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        Some(c"mode=755"),
    )?;
    let writable = opened_path(CWD, place)?;
    mount_bind(place, place)?;
    mount_namespace::make_read_only(place)?;
    Ok(writable)
}

fn opened_path(directory: impl AsFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(directory, path, flags, Mode::empty())
}
