//! Creation of namespaces: with the privileges of the process, else through a user namespace.

use std::fs;
use std::io;

use nix::sched::{self, CloneFlags};
use rustix::process::{DumpableBehavior, Gid, Uid, getegid, geteuid, set_dumpable_behavior};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, configure_capability_in_ambient_set,
    set_capabilities,
};

/// Moves the current process into a new mount and a new IPC namespace and, with `pids`, its future children into a new PID namespace.
pub(super) fn unshare(pids: bool) -> Result<(), String> {
    let (user, group) = (geteuid(), getegid());
    let mut flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC;
    flags.set(CloneFlags::CLONE_NEWPID, pids);
    if sched::unshare(flags).is_err() {
        sched::unshare(flags | CloneFlags::CLONE_NEWUSER)
            .map_err(|error| format!("the kernel grants no namespaces: {}", error.desc()))?;
        map_identity_as_dumpable(user, group)
            .map_err(|error| format!("mapping user {user} into a namespace: {error}"))?;
    }
    if user.is_root() {
        return Ok(());
    }
    make_ambient(CapabilitySet::SYS_ADMIN)
        .map_err(|error| format!("keeping the right to mount: {error}"))
}

/// The files of a non-dumpable process belong to root, so the process is dumpable while it writes its mappings. It holds
/// no secrets: its environment is empty.
fn map_identity_as_dumpable(user: Uid, group: Gid) -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    let mapped = map_identity(user, group);
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    mapped
}

/// Maps the user and the group of the current process to themselves.
fn map_identity(user: Uid, group: Gid) -> io::Result<()> {
    // An ordinary user may map a group only with setgroups denied.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{0} {0} 1", user.as_raw()))?;
    fs::write("/proc/self/gid_map", format!("{0} {0} 1", group.as_raw()))
}

/// Adds `capability` to the ambient set, so the next executed program has the capability without being root.
fn make_ambient(capability: CapabilitySet) -> rustix::io::Result<()> {
    let owned = capabilities(None)?;
    set_capabilities(
        None,
        CapabilitySets {
            inheritable: owned.inheritable | capability,
            ..owned
        },
    )?;
    configure_capability_in_ambient_set(capability, true)
}
