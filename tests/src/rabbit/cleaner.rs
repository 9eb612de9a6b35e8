//! Leaves nothing behind, however a test run ends.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PREFIX: &str = "drover-rabbit-";

/// A small process that waits for the end of the current process, or for its own drop, and then ends all processes of
/// a node (the folder of the node stands in their environment) and removes the folder.
#[derive(Debug)]
pub(super) struct Cleaner(Child);

/// Reading ends when the other end of the pipe is closed, by whatever.
const CLEAN: &str = r#"
cat >/dev/null
for environ in $(grep -lsF "$1" /proc/[0-9]*/environ); do
    pid=${environ#/proc/}
    kill -KILL "${pid%/environ}" 2>/dev/null
done
for attempt in 1 2 3 4 5; do rm -rf "$2" 2>/dev/null && break; sleep 0.2; done
"#;

impl Cleaner {
    /// For the node whose folder is `outside` for us and `inside` for it.
    pub(super) fn of(outside: &Path, inside: &Path) -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", CLEAN, "cleaner"])
            .arg(inside)
            .arg(outside);
        // In a process group of its own, so an interrupt of the tests does not reach the cleaner.
        command.stdin(Stdio::piped()).process_group(0);
        Self(command.spawn().expect("a shell can be started"))
    }
}

impl Drop for Cleaner {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A new folder below `base`, named for this process; as the node will know it.
pub(super) fn new_folder(base: &Path) -> PathBuf {
    // With an end of its own, so that no folder's name is the beginning of another's.
    let name = format!("{PREFIX}{}-{}.d", std::process::id(), crate::unique("node"));
    fs::create_dir(base.join(&name)).expect("a temporary folder can be made");
    Path::new("/var/tmp").join(name)
}

/// Removes the leftovers of test runs whose cleaner was killed, too.
pub(super) fn sweep(base: &Path) {
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    for folder in entries.map(|entry| entry.path()) {
        let Some(owner) = owner(&folder) else {
            continue;
        };
        if Path::new("/proc").join(owner.to_string()).exists() {
            continue;
        }
        let inside = Path::new("/var/tmp").join(folder.file_name().unwrap_or_default());
        for pid in processes_of(&inside) {
            let _ = kill(pid, Signal::SIGKILL);
        }
        let _ = fs::remove_dir_all(&folder);
    }
}

fn owner(folder: &Path) -> Option<u32> {
    let name = folder.file_name()?.to_str()?.strip_prefix(PREFIX)?;
    name.split('-').next()?.parse().ok()
}

/// The processes of the node with this folder.
pub(super) fn processes_of(folder: &Path) -> Vec<Pid> {
    let processes = crate::processes_marked(&folder.to_string_lossy());
    let pids = processes
        .iter()
        .filter_map(|process| process.split(' ').next()?.parse().ok());
    pids.map(Pid::from_raw).collect()
}
