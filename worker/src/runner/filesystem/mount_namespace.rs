//! One-time setup of the runner's mount namespace: `/proc`, a root with `/pfs`, a private `/tmp`.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::{self, CloneFlags};
use rustix::fs::{CWD, Mode, OFlags, StatVfsMountFlags, openat, statvfs};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
    mount_change, mount_remount, unmount,
};
use rustix::process::{chdir, pivot_root};

use super::slot_scratch::PFS;
use super::writable_directory::WritableDirectory;

pub(super) const TMP: &str = "/tmp";

/// Directory of POSIX shared memory.
const SHARED_MEMORY: &str = "/dev/shm";

/// Creates a mount namespace separate from the supervisor, which must not see mounts below scratch when it removes the
/// directory. Mounts of the machine propagate into the namespace; mounts of the namespace do not propagate out.
pub(super) fn isolate_mounts() -> Result<(), String> {
    sched::unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|error| format!("no mount namespace: {}", error.desc()))?;
    mount_change(
        "/",
        MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC,
    )
    .map_err(|error| format!("mounts cannot be made private: {error}"))
}

/// Mounts an empty file system for POSIX shared memory; `None` if the machine has no `/dev/shm`.
pub(super) fn mount_shared_memory() -> Result<Option<WritableDirectory>, String> {
    if !Path::new(SHARED_MEMORY).is_dir() {
        return Ok(None);
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let mounted = mount("tmpfs", SHARED_MEMORY, "tmpfs", flags, Some(c"mode=1777"));
    mounted
        .map_err(Into::into)
        .and_then(|()| WritableDirectory::open(SHARED_MEMORY.into(), Mode::from(0o1777)))
        .map(Some)
        .map_err(|error: io::Error| format!("{SHARED_MEMORY} cannot be made private: {error}"))
}

/// Mounts a `/proc` for the PID namespace.
pub(super) fn mount_proc() -> Result<(), String> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None)
        .map_err(|error| format!("/proc cannot be mounted: {error}"))
}

/// Makes `/pfs` a directory that can be mounted upon, without creating a directory on the machine.
pub(super) fn provide_pfs(new_root: &Path) -> Result<(), String> {
    if Path::new(PFS).is_dir() {
        return Ok(());
    }
    build_root(new_root)
        .map_err(|error| format!("a root with a /pfs in it cannot be built: {error}"))
}

/// Builds a root with all entries of the machine's root and `/pfs`, and moves into the new root.
fn build_root(new_root: &Path) -> io::Result<()> {
    mount(
        "tmpfs",
        new_root,
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        Some(c"mode=755"),
    )?;
    for entry in fs::read_dir("/")? {
        show_in(new_root, &entry?)?;
    }
    fs::create_dir(new_root.join("pfs"))?;
    chdir(new_root)?;
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    mount_change("/", MountPropagationFlags::PRIVATE)?;
    Ok(make_read_only(Path::new("/"))?)
}

fn show_in(new_root: &Path, entry: &fs::DirEntry) -> io::Result<()> {
    let (source, target) = (entry.path(), new_root.join(entry.file_name()));
    let kind = entry.file_type()?;
    if kind.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(source)?, target)
    } else if kind.is_dir() {
        fs::create_dir(&target)?;
        Ok(mount_bind_recursive(source, target)?)
    } else if kind.is_file() {
        File::create(&target)?;
        Ok(mount_bind(source, target)?)
    } else {
        Ok(())
    }
}

/// Makes the mount at `target` read-only; other flags stay.
pub(super) fn make_read_only(target: &Path) -> rustix::io::Result<()> {
    let current = statvfs(target)?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::RDONLY;
    flags.set(
        MountFlags::NOSUID,
        current.contains(StatVfsMountFlags::NOSUID),
    );
    flags.set(
        MountFlags::NODEV,
        current.contains(StatVfsMountFlags::NODEV),
    );
    flags.set(
        MountFlags::NOEXEC,
        current.contains(StatVfsMountFlags::NOEXEC),
    );
    mount_remount(target, flags, "")
}

/// A private `/tmp` for the slot, mounted over the machine's `/tmp`.
pub(super) struct PrivateTmp {
    machines: OwnedFd,
    kept: Vec<PathBuf>,
}

impl PrivateTmp {
    /// Mounts `tmp` at `/tmp`. Entries of the machine's `/tmp` that lead to `needed` stay visible. Returns `None` and
    /// mounts nothing if `/tmp` itself is needed or missing.
    pub(super) fn mount(tmp: &Path, needed: &[PathBuf]) -> Result<Option<Self>, String> {
        if !Path::new(TMP).is_dir() || needed.iter().any(|path| path == Path::new(TMP)) {
            return Ok(None);
        }
        Self::cover(tmp, needed)
            .map(Some)
            .map_err(|error| format!("/tmp cannot be made private: {error}"))
    }

    fn cover(tmp: &Path, needed: &[PathBuf]) -> io::Result<Self> {
        let machines = openat(
            CWD,
            TMP,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        mount_bind(tmp, TMP)?;
        let mut covered = Self {
            machines,
            kept: Vec::new(),
        };
        for path in needed {
            covered.keep(path)?;
        }
        Ok(covered)
    }

    /// Binds the entry of the machine's `/tmp` that leads to `path`.
    fn keep(&mut self, path: &Path) -> io::Result<()> {
        let Some(name) = first_below_tmp(path) else {
            return Ok(());
        };
        let name = PathBuf::from(name);
        if !self.kept.contains(&name) {
            let place = Path::new(TMP).join(&name);
            fs::create_dir(&place)?;
            mount_bind_recursive(&*self.reach(&place), &place)?;
            self.kept.push(name);
        }
        Ok(())
    }

    /// Names in `/tmp` that belong to the machine.
    pub(super) fn kept(&self) -> &[PathBuf] {
        &self.kept
    }

    /// Path under which the current process reaches `path` of the machine.
    pub(super) fn reach<'a>(&self, path: &'a Path) -> Cow<'a, Path> {
        match path.strip_prefix(TMP) {
            Ok(below) => Cow::Owned(
                Path::new("/proc/self/fd")
                    .join(self.machines.as_raw_fd().to_string())
                    .join(below),
            ),
            Err(_) => Cow::Borrowed(path),
        }
    }
}

fn first_below_tmp(path: &Path) -> Option<&OsStr> {
    path.strip_prefix(TMP)
        .ok()?
        .components()
        .next()
        .map(std::path::Component::as_os_str)
}
