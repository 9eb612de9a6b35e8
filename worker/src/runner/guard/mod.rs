//! The processes that end what others leave: the guard, the first process of a runner, and the supervisor, the second.

mod guard_process;
mod next_process;
mod supervisor;

pub(super) use guard_process::guard;
pub(super) use supervisor::supervise;
