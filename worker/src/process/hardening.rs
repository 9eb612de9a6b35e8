//! Keeps the credentials of this process from the commands. A command often runs as the same user as the worker, and
//! could otherwise read `/proc/<worker>/environ`.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// Makes this process non-dumpable: from now on only root can read its memory and environment. Executed programs are
/// dumpable again; runners get none of the worker's variables.
pub fn keep_to_oneself() {
    // The kernel never refuses this value.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
