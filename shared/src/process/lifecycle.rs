//! Signals, the soft and the hard token, the tracker of tasks, the grace.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How a process ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// All tasks finished by themselves.
    Finished,
    /// Asked to stop; what was held was finished within the grace.
    Drained,
    /// Asked twice, or the grace was over.
    CutShort,
}

/// The life of a process. `hard` is the parent of `soft`.
#[derive(Debug)]
pub struct Lifecycle {
    /// Cancelled first: take nothing new, finish what is held.
    pub soft: CancellationToken,
    /// Cancelled last: kill what runs.
    pub hard: CancellationToken,
    /// Every task of the process.
    pub tracker: TaskTracker,
    /// From soft to hard.
    pub grace: Duration,
}
