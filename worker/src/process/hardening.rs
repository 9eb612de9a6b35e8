//! What this process knows stays in it: the credentials in its environment, above all. A command of a pipeline often runs
//! as the very user that the worker is, and could read `/proc/<worker>/environ` otherwise.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// From now on nobody but root looks into this process's memory and environment. Programs that it executes are not
/// concerned; runners get none of its variables.
pub fn keep_to_oneself() {
    // It is never refused.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
