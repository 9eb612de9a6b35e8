//! One-time setup of the runner's mount namespace: `/proc`, a root with `/pfs`, a private `/tmp`.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::{self, CloneFlags};
use rustix::fs::{CWD, Mode, OFlags, StatVfsMountFlags, openat, statvfs};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
    mount_change, mount_remount, unmount,
};
use rustix::process::{chdir, pivot_root};

use super::mountinfo::MountPoints;
use super::slot_scratch::PFS;
use super::writable_directory::WritableDirectory;

pub(super) const TMP: &str = "/tmp";

/// Directory of POSIX shared memory.
const SHARED_MEMORY: &str = "/dev/shm";

/// Where root changes the whole machine by writing to a file, without any capability, or moves a process to another control group.
const KERNEL_FILES: [&str; 5] = [
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/irq",
    "/proc/bus",
    "/sys",
];

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

/// A private directory for POSIX shared memory.
pub(super) struct SharedMemoryMount {
    cover: PrivateDirectory,
    directory: WritableDirectory,
}

impl SharedMemoryMount {
    /// Mounts an empty file system; `None` if the machine has no `/dev/shm`. Entries that lead to `needed` stay visible.
    pub(super) fn mount(needed: &[PathBuf]) -> Result<Option<Self>, String> {
        let place = Path::new(SHARED_MEMORY);
        if !place.is_dir() {
            return Ok(None);
        }
        if needed.iter().any(|path| path == place) {
            return Err(format!(
                "{SHARED_MEMORY} cannot be made private, since Drover itself needs it; use a directory in it"
            ));
        }
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        let mounting = || mount("tmpfs", place, "tmpfs", flags, Some(c"mode=1777"));
        let covered = PrivateDirectory::cover(place, needed, mounting).and_then(|cover| {
            let directory = WritableDirectory::open(place.to_owned(), Mode::from(0o1777))?;
            Ok(Self { cover, directory })
        });
        covered
            .map(Some)
            .map_err(|error| format!("{SHARED_MEMORY} cannot be made private: {error}"))
    }

    /// The machine's directory.
    pub(super) fn machines(&self) -> &PrivateDirectory {
        &self.cover
    }

    /// Removes what the last datum left.
    pub(super) fn empty(&mut self) -> Result<(), String> {
        self.directory.empty(self.cover.kept())
    }
}

/// Mounts a `/proc` for the PID namespace.
pub(super) fn mount_proc() -> Result<(), String> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None)
        .map_err(|error| format!("/proc cannot be mounted: {error}"))
}

/// Makes the files that control the kernel read-only, as in a container.
pub(super) fn protect_kernel() -> Result<(), String> {
    let places = KERNEL_FILES.into_iter().map(Path::new);
    for place in places.filter(|place| place.exists()) {
        show_read_only(place)
            .map_err(|error| format!("{} cannot be made read-only: {error}", place.display()))?;
    }
    Ok(())
}

/// Makes a file or a directory read-only, with all file systems that are mounted below.
fn show_read_only(place: &Path) -> io::Result<()> {
    mount_bind_recursive(place, place)?;
    make_read_only(place)?;
    for below in MountPoints::read()?.below(place) {
        match make_read_only(&place.join(below)) {
            // Commands do not get there either.
            Ok(()) | Err(Errno::ACCESS | Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
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

/// Mounts `tmp` at `/tmp`. Entries of the machine's `/tmp` that lead to `needed` stay visible. Returns `None` and mounts
/// nothing if `/tmp` itself is needed or missing.
pub(super) fn mount_tmp(
    tmp: &Path,
    needed: &[PathBuf],
) -> Result<Option<PrivateDirectory>, String> {
    let place = Path::new(TMP);
    if !place.is_dir() || needed.iter().any(|path| path == place) {
        return Ok(None);
    }
    PrivateDirectory::cover(place, needed, || mount_bind(tmp, place))
        .map(Some)
        .map_err(|error| format!("/tmp cannot be made private: {error}"))
}

/// A directory of the machine that a private one of the slot covers. The runner still reaches it by its descriptor.
pub(super) struct PrivateDirectory {
    place: PathBuf,
    machines: OwnedFd,
    kept: Vec<PathBuf>,
}

impl PrivateDirectory {
    /// Covers `place` by `mounting`. Entries that lead to `needed` stay visible.
    fn cover(
        place: &Path,
        needed: &[PathBuf],
        mounting: impl FnOnce() -> rustix::io::Result<()>,
    ) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let machines = openat(CWD, place, flags, Mode::empty())?;
        mounting()?;
        let mut covered = Self {
            place: place.to_owned(),
            machines,
            kept: Vec::new(),
        };
        for path in needed {
            covered.keep(path)?;
        }
        Ok(covered)
    }

    /// Binds the entry of the machine's directory that leads to `path`.
    fn keep(&mut self, path: &Path) -> io::Result<()> {
        let below = path.strip_prefix(&self.place).ok();
        let Some(first) = below.and_then(|below| below.components().next()) else {
            return Ok(());
        };
        let name = PathBuf::from(first.as_os_str());
        if !self.kept.contains(&name) {
            let seen_at = self.place.join(&name);
            fs::create_dir(&seen_at)?;
            mount_bind_recursive(&*self.reach(&seen_at), &seen_at)?;
            self.kept.push(name);
        }
        Ok(())
    }

    /// Names that belong to the machine.
    pub(super) fn kept(&self) -> &[PathBuf] {
        &self.kept
    }

    /// Path under which the current process reaches `path` of the machine.
    pub(super) fn reach<'a>(&self, path: &'a Path) -> Cow<'a, Path> {
        match path.strip_prefix(&self.place) {
            Ok(below) => Cow::Owned(descriptor_path(&self.machines).join(below)),
            Err(_) => Cow::Borrowed(path),
        }
    }

    /// True if `path` lies in the directory.
    pub(super) fn holds(&self, path: &Path) -> bool {
        path.starts_with(&self.place)
    }
}

/// Path under which the current process reaches an open file or directory, whatever is mounted over its name.
pub(super) fn descriptor_path(opened: &OwnedFd) -> PathBuf {
    Path::new("/proc/self/fd").join(opened.as_raw_fd().to_string())
}
