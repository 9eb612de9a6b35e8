//! The group itself: made, entered, limited and ended.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::delegation::above_slots;
use super::hierarchies::hierarchies;

/// The beginning of the names of groups.
const NAME: &str = "drover-slot-";

/// Processes of Drover in the group of a slot.
const OWN_PROCESSES: u32 = 4;

/// Interval between two looks at dying processes.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The control group of a slot, in the existing hierarchies.
#[derive(Debug)]
pub(in crate::runner) struct ControlGroup {
    /// The group's directory in each hierarchy.
    directories: Vec<PathBuf>,
}

/// True if the current process is in the control group of a slot.
pub(in crate::runner) fn is_in_control_group() -> bool {
    fs::read_to_string("/proc/self/cgroup").is_ok_and(|groups| {
        let mut parts = groups.lines().flat_map(|line| line.split('/'));
        parts.any(|part| part.starts_with(NAME))
    })
}

/// Moves the current process, which has one thread, into the group with the directories. Processes that it starts later
/// are in the group from their first moment.
///
/// The first version of control groups can move a single thread, by the file `tasks`. For that the kernel takes no lock
/// over all forks of the machine, whose first taking waits for about 10 ms.
///
/// Returns the directories of the hierarchies that took the process; one that refuses gives no protection and does no harm.
pub(in crate::runner) fn enter(directories: &[PathBuf]) -> Vec<&PathBuf> {
    let has_entered = |directory: &&PathBuf| enter_one(directory).is_ok();
    directories.iter().filter(has_entered).collect()
}

fn enter_one(directory: &Path) -> io::Result<()> {
    let mut write = OpenOptions::new();
    let members = write.write(true);
    let opened = members
        .open(directory.join("tasks"))
        .or_else(|_| members.open(directory.join("cgroup.procs")));
    opened?.write_all(b"0")
}

/// Limits the processes and threads that commands have in the group with the directories, which the current process has
/// entered. False if no hierarchy has such a limit.
pub(in crate::runner) fn limit_processes(directories: &[PathBuf], most: u32) -> bool {
    let limit = most.saturating_add(OWN_PROCESSES).to_string();
    let mut limited = false;
    for directory in directories {
        // Only the hierarchy of the controller has the file.
        limited |= fs::write(directory.join("pids.max"), &limit).is_ok();
    }
    limited
}

impl ControlGroup {
    /// A new group without processes; none where the current process may not make any.
    pub(in crate::runner) fn create() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let directories: Vec<PathBuf> = hierarchies(&groups, &mounts)
            .into_iter()
            .filter_map(|own| create_below(&above_slots(own)).ok())
            .collect();
        (!directories.is_empty()).then_some(Self { directories })
    }

    /// The group's directory in each hierarchy, for [`enter`].
    pub(in crate::runner) fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// Kills all processes of the group, waits for their exit at most `timeout`, and removes the group.
    pub(in crate::runner) fn end(self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        for group in &self.directories {
            end_in_hierarchy(group, deadline);
        }
    }
}

fn create_below(above: &Path) -> io::Result<PathBuf> {
    remove_empty_groups(above);
    let group = above.join(format!("{NAME}{}", std::process::id()));
    fs::create_dir(&group)?;
    Ok(group)
}

fn end_in_hierarchy(group: &Path, deadline: Instant) {
    // No process can fork any more.
    let _ = fs::write(group.join("pids.max"), "0");
    while fs::remove_dir(group).is_err() && Instant::now() < deadline {
        if fs::write(group.join("cgroup.kill"), "1").is_err() {
            for process in processes(group) {
                let _ = kill(process, Signal::SIGKILL);
            }
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

fn processes(group: &Path) -> Vec<Pid> {
    let list = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    // A process of another PID namespace is shown as 0.
    let numbers = list.lines().filter_map(|line| line.parse().ok());
    numbers
        .filter(|number| *number > 0)
        .map(Pid::from_raw)
        .collect()
}

/// Removes groups that killed guards left. The kernel removes no group that has processes, and a group that a live guard has
/// just made may have none yet.
fn remove_empty_groups(above: &Path) {
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(guard) = name.strip_prefix(NAME) else {
            continue;
        };
        if !Path::new("/proc").join(guard).exists() {
            let _ = fs::remove_dir(entry.path());
        }
    }
}
