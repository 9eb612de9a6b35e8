//! Faults of a cluster.

use drover_tests::Random;

use super::processes::Role;

/// A fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ClusterFault {
    /// SIGKILL, as a power cut.
    Kill(Role),
    /// SIGTERM, as a scale-in.
    Terminate(Role),
    /// SIGSTOP for some steps, then SIGCONT.
    Freeze(Role),
    /// The broker restarts in good order.
    RestartBroker,
    /// The broker is killed and started again.
    KillBroker,
    /// The broker is killed, and comes back with nothing.
    EmptyBroker,
    /// A way to the broker breaks for some steps.
    Cut,
    /// All connections on a way to the broker break, and can be made again at once.
    Disconnect,
    /// Nothing arrives any more on a way to the broker, for some steps.
    HalfOpen,
    /// A way to the broker is slow for some steps.
    Slow,
    /// A way to the broker swallows answers, then breaks.
    Mute,
    /// New inputs, and a job for the inputs.
    Publish,
    /// The publisher of a job is killed.
    KillPublisher,
    /// The last job is stopped.
    Stop,
}

impl ClusterFault {
    /// Any fault, the cheap faults more often.
    pub(super) fn any(random: &mut Random) -> Self {
        use Role::{Coordinator, LongWorker, Worker};
        let all = [
            Self::Kill(Worker),
            Self::Kill(Worker),
            Self::Kill(Worker),
            Self::Kill(Worker),
            Self::Kill(Worker),
            Self::Kill(Coordinator),
            Self::Kill(Coordinator),
            Self::Kill(LongWorker),
            Self::Terminate(Worker),
            Self::Terminate(Coordinator),
            Self::Terminate(Coordinator),
            Self::Terminate(Coordinator),
            Self::Freeze(Worker),
            Self::Freeze(LongWorker),
            Self::Freeze(Coordinator),
            Self::RestartBroker,
            Self::KillBroker,
            Self::EmptyBroker,
            Self::Cut,
            Self::Cut,
            Self::Disconnect,
            Self::Disconnect,
            Self::Disconnect,
            Self::HalfOpen,
            Self::Slow,
            Self::Mute,
            Self::Publish,
            Self::Publish,
            Self::Publish,
            Self::Publish,
            Self::KillPublisher,
            Self::Stop,
        ];
        all[random.index(all.len())]
    }
}
