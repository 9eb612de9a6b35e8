//! Files of POSIX shared memory that commands leave on the machine.
//!
//! Most sandboxes give each datum a `/dev/shm` of its own. The sandbox of links is for containers, where the worker has a
//! single slot and nobody else uses `/dev/shm` as the same user: what is new there after a command was left by it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::runner::settings::Sandbox;

/// The directory of POSIX shared memory.
const DIRECTORY: &str = "/dev/shm";

/// The shared memory of the machine, for cleaning after commands.
#[derive(Debug)]
pub(super) struct SharedMemory {
    directory: PathBuf,
    /// Names from before the first command.
    kept: BTreeSet<OsString>,
    /// Users that commands have run as.
    users: BTreeSet<u32>,
}

impl SharedMemory {
    /// Shared memory to clean in `sandbox`; none where commands have a private one, or where other programs may use the directory.
    pub(super) fn of(sandbox: Sandbox) -> Option<Self> {
        (sandbox == Sandbox::Links).then(|| Self::watch(Path::new(DIRECTORY)))
    }

    fn watch(directory: &Path) -> Self {
        Self {
            kept: names(directory).collect(),
            directory: directory.to_owned(),
            users: BTreeSet::new(),
        }
    }

    /// Notes that a command runs as the user.
    pub(super) fn used_by(&mut self, user: u32) {
        self.users.insert(user);
    }

    /// Removes the leavings of commands, after the end of all processes of the command.
    pub(super) fn clean(&self) {
        for name in names(&self.directory).filter(|name| !self.kept.contains(name)) {
            let path = self.directory.join(name);
            let Ok(found) = path.symlink_metadata() else {
                continue;
            };
            if !self.users.contains(&found.uid()) {
                continue;
            }
            // The next command may find what cannot be removed; that is no reason to lose the slot.
            let _ = if found.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
        }
    }
}

fn names(directory: &Path) -> impl Iterator<Item = OsString> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name())
}

#[cfg(test)]
mod tests {
    use rustix::process::geteuid;

    use super::*;

    #[test]
    fn what_a_command_left_is_removed_and_what_was_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("before"), "").unwrap();
        let mut memory = SharedMemory::watch(folder.path());
        fs::write(folder.path().join("left"), "").unwrap();
        fs::create_dir_all(folder.path().join("deep/down")).unwrap();
        std::os::unix::fs::symlink("before", folder.path().join("link")).unwrap();
        memory.clean();
        assert_eq!(names(folder.path()).count(), 4, "of nobody who ran here");
        memory.used_by(geteuid().as_raw());
        memory.clean();
        assert_eq!(names(folder.path()).collect::<Vec<_>>(), ["before"]);
    }
}
