//! Hardening of the current process: its memory and environment, which hold credentials, and its descriptors stay closed to
//! the commands of pipelines, which often run as the same user.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// The first descriptor after the standard streams.
const FIRST_UNNAMED: i32 = 3;

/// Must be the first line of `main`. From now on only root can read the current process's memory and environment, and programs
/// that it executes inherit no descriptors but the standard streams.
pub fn harden() {
    // The kernel never refuses this.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    close_fds::set_fds_cloexec(FIRST_UNNAMED, &[]);
}
