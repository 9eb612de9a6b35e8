//! Capabilities of commands: those that containers have by default, without the right to make devices.

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
};

/// Capabilities that commands that run as root keep.
const USUAL: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::AUDIT_WRITE)
    .union(CapabilitySet::SETFCAP);

/// Numbers of capabilities; the kernel refuses unknown numbers.
const NUMBERS: std::ops::Range<u32> = 0..64;

/// Drops all other capabilities from the bounding, ambient and inheritable sets of the current process. The process itself
/// keeps `SYS_ADMIN` with `keep_admin`, to create IPC namespaces; commands do not get it. False if commands may keep more.
pub(super) fn drop_all_but_usual(keep_admin: bool) -> rustix::io::Result<bool> {
    clear_ambient()?;
    let mut dropped = true;
    for number in NUMBERS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if USUAL.contains(capability) {
            continue;
        }
        match capability_is_in_bounding_set(capability) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error),
        }
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // Only root's commands would regain them.
            Err(Errno::PERM) => dropped = !rustix::process::geteuid().is_root(),
            Err(error) => return Err(error),
        }
    }
    let owned = capabilities(None)?;
    let mut kept = USUAL;
    kept.set(CapabilitySet::SYS_ADMIN, keep_admin);
    set_capabilities(
        None,
        CapabilitySets {
            effective: owned.effective & kept,
            permitted: owned.permitted & kept,
            inheritable: CapabilitySet::empty(),
        },
    )?;
    Ok(dropped)
}

/// For privileged commands: drops only what a user namespace gave to the runner.
pub(super) fn keep() -> rustix::io::Result<bool> {
    clear_ambient()?;
    Ok(false)
}

fn clear_ambient() -> rustix::io::Result<()> {
    match clear_ambient_capability_set() {
        Err(Errno::INVAL) => Ok(()), // older kernels have none
        other => other,
    }
}
