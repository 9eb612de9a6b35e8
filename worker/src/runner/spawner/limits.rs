//! Limits of the resources that commands use, inherited from the spawner.

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::runner::settings::CommandLimits;

/// Half of the highest score; a thousandth of it weighs as much as a thousandth of the machine's memory.
const VICTIM_SCORE: &str = "500";

/// Lowers the limits of the current process and of the processes that it starts later. The number of processes is left alone
/// if `processes_limited`, because a control group limits it.
pub(super) fn lower(limits: CommandLimits, processes_limited: bool) -> rustix::io::Result<()> {
    lower_one(Resource::Core, 0)?;
    lower_one(Resource::Nofile, limits.open_files.into())?;
    if processes_limited {
        return Ok(());
    }
    lower_one(Resource::Nproc, limits.processes.into())
}

/// Makes the kernel, when it is out of memory, end commands rather than processes of Drover: the current process and the
/// processes that it starts later get a higher score. Without effect where the score is higher already.
pub(super) fn prefer_as_victim() {
    let _ = std::fs::write("/proc/self/oom_score_adj", VICTIM_SCORE);
}

/// Lowers both limits of a resource to `most`, and raises none.
fn lower_one(resource: Resource, most: u64) -> rustix::io::Result<()> {
    let own = getrlimit(resource);
    let lowered = |own: Option<u64>| Some(own.map_or(most, |own| own.min(most)));
    let limit = Rlimit {
        current: lowered(own.current),
        maximum: lowered(own.maximum),
    };
    match setrlimit(resource, limit) {
        // A kernel without the resource limits nothing.
        Err(Errno::INVAL) => Ok(()),
        other => other,
    }
}
