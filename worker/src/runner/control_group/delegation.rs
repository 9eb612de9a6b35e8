//! Delegation of controllers to the groups of slots, in the unified hierarchy.
//!
//! A group gives controllers to the groups below only while the group has no process of its own. So the worker moves to a group
//! below, beside the groups of the slots.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::hierarchies::unified;

/// The name of the group of the worker.
const OWN: &str = "drover-worker";

/// Lets the groups of slots have controllers, if the current process is alone in a group that it may change. Without effect
/// elsewhere, and when it was done before.
pub(crate) fn delegate_controllers() {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    let group = unified(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
    if let Some(Err(error)) = group.map(|group| delegate_in(&group, std::process::id())) {
        tracing::debug!("the groups of slots get no controllers: {error}");
    }
}

/// Moves the process `own` from the group to a group below, and lets the groups below have the controllers.
fn delegate_in(group: &Path, own: u32) -> io::Result<()> {
    let words = |name: &str| -> io::Result<Vec<String>> {
        let text = fs::read_to_string(group.join(name))?;
        Ok(text.split_whitespace().map(str::to_owned).collect())
    };
    let has_memory = |words: Vec<String>| words.iter().any(|word| word == "memory");
    let is_alone = words("cgroup.procs")?
        .iter()
        .all(|it| *it == own.to_string());
    if group.ends_with(OWN)
        || !is_alone
        || !has_memory(words("cgroup.controllers")?)
        || has_memory(words("cgroup.subtree_control")?)
    {
        return Ok(());
    }
    let below = group.join(OWN);
    match fs::create_dir(&below) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        created => created?,
    }
    fs::write(below.join("cgroup.procs"), own.to_string())?;
    let control = group.join("cgroup.subtree_control");
    let given = fs::write(&control, "+memory +pids").or_else(|_| fs::write(&control, "+memory"));
    if given.is_err() {
        fs::write(group.join("cgroup.procs"), own.to_string())?;
        fs::remove_dir(below)?;
    }
    given
}

/// The group above the slots of a worker in the group `own`.
pub(super) fn above_slots(own: PathBuf) -> PathBuf {
    match own.parent() {
        Some(above) if own.ends_with(OWN) => above.to_owned(),
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A group as the kernel shows it, with processes and controllers.
    fn group(processes: &str, controllers: &str, given: &str) -> tempfile::TempDir {
        let group = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("cgroup.procs", processes),
            ("cgroup.controllers", controllers),
            ("cgroup.subtree_control", given),
        ] {
            fs::write(group.path().join(name), text).unwrap();
        }
        group
    }

    #[test]
    fn a_worker_that_is_alone_in_its_group_makes_room_for_slots() {
        let group = group("17\n", "cpuset cpu memory pids\n", "\n");
        delegate_in(group.path(), 17).unwrap();
        let read = |name: &str| fs::read_to_string(group.path().join(name)).unwrap();
        assert_eq!(read("drover-worker/cgroup.procs"), "17");
        assert_eq!(read("cgroup.subtree_control"), "+memory +pids");
        let own = group.path().join(OWN);
        assert_eq!(above_slots(own), group.path());
    }

    #[test]
    fn other_processes_controllers_and_groups_are_left_alone() {
        let rows = [
            ("17\n18\n", "memory", "", "another process"),
            ("17\n", "cpu", "", "no controller"),
            ("17\n", "memory", "memory", "done before"),
        ];
        for (processes, controllers, given, why) in rows {
            let group = group(processes, controllers, given);
            delegate_in(group.path(), 17).unwrap();
            assert!(!group.path().join(OWN).exists(), "{why}");
        }
        assert!(delegate_in(Path::new("/nowhere"), 17).is_err());
        assert_eq!(above_slots("/a/b".into()), Path::new("/a/b"));
    }
}
