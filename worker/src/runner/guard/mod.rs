//! The processes that end what others leave: the guard, the first process of a runner, and the supervisor, the second.

mod supervisor;
mod watch;

pub(super) use supervisor::supervise;
pub(super) use watch::guard;
