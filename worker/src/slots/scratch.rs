//! The worker's scratch directory, made at start and removed at exit. Other workers remove the directory of a killed worker, at
//! their start and at their exit.

use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use drover_shared::id::WorkerId;
use drover_shared::store::{Store, layout};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

use crate::runner::remove_all;

/// Where scratch lies beside a folder store that cannot hold it: a private `/tmp` would hide the folder from commands.
const BESIDE_STORE: &str = "/var/tmp/drover";

/// The parent of the workers' scratch directories: `chosen`, else a folder below a folder store, so nothing needs
/// copying, else (for a bucket) a folder below the system's temporary folder. Slots need files with rights, so a store on a
/// file system without (exFAT, SMB) has its scratch in `/var/tmp`.
pub fn scratch_for(store: &Store, chosen: Option<PathBuf>) -> PathBuf {
    let default = || match store.local_path(&layout::scratch()) {
        Some(folder) if has_rights(&folder) => folder,
        Some(_) => PathBuf::from(BESIDE_STORE),
        None => std::env::temp_dir().join("drover"),
    };
    chosen.unwrap_or_else(default)
}

/// True if files in the folder keep the rights they are given. For an unwritable folder, the result is true, and its user reports
/// the error.
fn has_rights(folder: &Path) -> bool {
    let probe = || -> io::Result<bool> {
        fs::create_dir_all(folder)?;
        let file = tempfile::NamedTempFile::new_in(folder)?;
        let keeps = |mode: u32| {
            let set = fs::set_permissions(file.path(), Permissions::from_mode(mode));
            let rights = set.and_then(|()| file.path().metadata());
            rights.is_ok_and(|found| found.permissions().mode() & 0o777 == mode)
        };
        Ok(keeps(0o600) && keeps(0o444))
    };
    probe().unwrap_or(true)
}

/// The scratch directory of the current worker. A locked file lies beside the directory: the kernel releases the lock with the
/// process, so a directory whose lock is free belongs to no worker.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    lock: PathBuf,
    locked: Mutex<File>,
}

/// The directories below the worker's own.
const DIRECTORIES: [&str; 4] = ["slots", "staging", "hold", "logs"];

impl Scratch {
    /// Makes the worker's directory below `parent`, and removes the directories of killed workers.
    pub(crate) fn make(parent: &Path, worker: &WorkerId) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        sweep(parent)?;
        let path = parent.join(worker.as_str());
        let lock = lock_file(&path);
        let locked = Mutex::new(take_lock(&lock)?);
        make_directories(&path)?;
        Ok(Self {
            path: fs::canonicalize(path)?,
            lock,
            locked,
        })
    }

    /// Restores a removed directory; a job that tidies up temporary files may have removed the directory.
    pub(crate) fn restore(&self) -> io::Result<()> {
        if !self.lock.exists() {
            fs::create_dir_all(self.path.parent().unwrap_or(&self.path))?;
            let locked = take_lock(&self.lock)?;
            *self.locked.lock().unwrap_or_else(PoisonError::into_inner) = locked;
        }
        make_directories(&self.path)
    }

    /// The directory with the scratch directories of all workers.
    pub(crate) fn of_all_workers(&self) -> Option<&Path> {
        self.path.parent()
    }

    /// Parent of the working directories of the slots' runners.
    pub(crate) fn slots(&self) -> PathBuf {
        self.path.join("slots")
    }

    /// Working directory of a slot's runner.
    pub(crate) fn slot(&self, number: usize) -> PathBuf {
        self.slots().join(number.to_string())
    }

    /// The downloaded inputs of a claim.
    pub(crate) fn staging(&self, claim: &str) -> PathBuf {
        self.path.join("staging").join(claim)
    }

    /// Output file `n` of a claim, between the slot and the store.
    pub(crate) fn hold(&self, claim: &str, n: usize) -> PathBuf {
        self.path.join("hold").join(format!("{claim}.{n}"))
    }

    /// A log that is being written.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(name)
    }

    /// True if the file lies in the scratch directory.
    pub(crate) fn holds(&self, file: &Path) -> bool {
        file.starts_with(&self.path)
    }

    /// Opens a file of the directory to read it. No link is followed: a running command may replace the file by one.
    pub(crate) fn open(&self, file: &Path) -> io::Result<File> {
        let below = file.strip_prefix(&self.path).map_err(io::Error::other)?;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let root = File::open(&self.path)?;
        Ok(openat2(root, below, flags, Mode::empty(), inside)?.into())
    }

    /// The standard input of a job's commands.
    pub(crate) fn stdin(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.path, &self.lock);
        // A worker that was killed just before the start of this worker may have held its lock for a moment longer, by a
        // process between fork and exec.
        if let Some(Err(error)) = self.of_all_workers().map(sweep) {
            tracing::debug!("cannot sweep the scratch directories of killed workers: {error}");
        }
    }
}

fn make_directories(path: &Path) -> io::Result<()> {
    DIRECTORIES
        .iter()
        .try_for_each(|name| fs::create_dir_all(path.join(name)))
}

/// Makes the lock file and locks it, under another name first: another worker must never see the lock file unlocked.
fn take_lock(lock: &Path) -> io::Result<File> {
    let unlocked = lock.with_extension("new");
    let file = File::create(&unlocked)?;
    file.try_lock()?;
    fs::rename(&unlocked, lock)?;
    Ok(file)
}

fn lock_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// Removes the directories of workers that no longer run.
fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let lock = entry?.path();
        if lock.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        // Opened for writing: a network file system locks exclusively only then. The worker of the lock may have removed
        // it, or be another user's.
        let Ok(file) = File::options().read(true).write(true).open(&lock) else {
            continue;
        };
        match file.try_lock() {
            Ok(()) => remove(&lock.with_extension(""), &lock),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(source),
        }
    }
    Ok(())
}

/// Removes the directory before its lock file, so a directory always has a lock file.
fn remove(path: &Path, lock: &Path) {
    if let Err(error) = remove_surely(path).and_then(|()| fs::remove_file(lock)) {
        tracing::debug!("cannot remove {}: {error}", path.display());
    }
}

/// How long the processes of a killed worker may go on making files in its directory. A runner that was being started makes
/// the directories of its slot before it sees the end of its worker.
const LATE_FILES: Duration = Duration::from_secs(1);

/// Removes the directory, again when another process has made a file in the directory meanwhile.
fn remove_surely(path: &Path) -> io::Result<()> {
    let deadline = Instant::now() + LATE_FILES;
    loop {
        match remove_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                if Instant::now() >= deadline {
                    return Err(error);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use drover_shared::store::Location;

    use super::*;

    fn worker(name: &str) -> WorkerId {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn scratch_lies_on_the_file_system_of_a_folder_store() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Folder(folder.path().to_owned());
        let local = Store::open(&location).await.unwrap();
        assert!(scratch_for(&local, None).starts_with(folder.path()));
        assert!(scratch_for(&Store::in_memory(), None).starts_with(std::env::temp_dir()));
        assert_eq!(scratch_for(&local, Some("/x".into())), Path::new("/x"));
    }

    #[test]
    fn a_worker_that_ended_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::make(parent.path(), &worker("a.b-1")).unwrap();
        fs::write(scratch.log("x"), "y").unwrap();
        drop(scratch);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_scratch_that_was_swept_away_is_made_anew_and_stays_locked() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::make(parent.path(), &worker("a-1")).unwrap();
        for entry in fs::read_dir(parent.path()).unwrap() {
            let path = entry.unwrap().path();
            let removed = remove_all(&path).or_else(|_| fs::remove_file(&path));
            removed.unwrap();
        }
        scratch.restore().unwrap();
        fs::write(scratch.log("x"), "y").unwrap();
        let _other = Scratch::make(parent.path(), &worker("b-1")).unwrap();
        assert!(
            scratch.log("x").exists(),
            "another worker took it for a dead one's"
        );
    }

    #[test]
    fn a_file_is_never_opened_through_a_link() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::make(parent.path(), &worker("a-1")).unwrap();
        let secret = parent.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        let own = scratch.path.join("slots/0/tmp/dir/file");
        fs::create_dir_all(own.parent().unwrap()).unwrap();
        fs::write(&own, "own").unwrap();
        let read = |file: &Path| scratch.open(file).and_then(io::read_to_string);
        assert_eq!(read(&own).unwrap(), "own");
        fs::remove_file(&own).unwrap();
        symlink(&secret, &own).unwrap();
        assert!(read(&own).is_err(), "a link in its place");
        fs::remove_dir_all(own.parent().unwrap()).unwrap();
        fs::write(parent.path().join("file"), "secret").unwrap();
        symlink(parent.path(), own.parent().unwrap()).unwrap();
        assert!(read(&own).is_err(), "a link in its directory's place");
        assert!(read(&scratch.path.join("../secret")).is_err());
        assert!(read(&secret).is_err());
    }

    #[test]
    fn the_directory_of_a_killed_worker_is_removed_and_that_of_a_running_one_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let living = Scratch::make(parent.path(), &worker("living-1")).unwrap();
        let killed = parent.path().join("host.domain-2");
        fs::create_dir_all(killed.join("slots/0/out")).unwrap();
        File::create(lock_file(&killed)).unwrap();
        let _next = Scratch::make(parent.path(), &worker("next-3")).unwrap();
        assert!(!killed.exists() && !lock_file(&killed).exists());
        assert!(living.path.join("slots").exists());
    }

    #[test]
    fn a_killed_worker_whose_runner_was_still_starting_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let killed = parent.path().join("killed-1");
        fs::create_dir_all(killed.join("slots")).unwrap();
        File::create(lock_file(&killed)).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut made = 0;
                while made < 20 {
                    match fs::create_dir(killed.join("slots/0")) {
                        Ok(()) => made += 1,
                        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                        Err(_) => return, // the worker's directory is gone
                    }
                }
            });
            Scratch::make(parent.path(), &worker("next-2")).unwrap();
        });
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_worker_that_ends_removes_what_a_killed_worker_still_held_at_its_start() {
        let parent = tempfile::tempdir().unwrap();
        let killed = parent.path().join("killed-1");
        fs::create_dir(&killed).unwrap();
        let held = take_lock(&lock_file(&killed)).unwrap();
        let next = Scratch::make(parent.path(), &worker("next-2")).unwrap();
        assert!(killed.exists());
        drop(held);
        drop(next);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
