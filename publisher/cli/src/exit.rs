//! Exit codes. Scripts depend on them: a code never changes its meaning.

use drover_shared::job::{JobRecord, JobState};

/// How a command ended, for whoever started it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Exit {
    /// All that was asked for is done.
    Success,
    /// The job failed: some datums did, or its output could not be published.
    JobFailed,
    /// The command line or a spec is wrong; nothing was done.
    Usage,
    /// The job was stopped: by a person, a signal, `job_timeout`, or because its process was killed.
    Stopped,
    /// The store or the broker cannot be reached or used.
    Unreachable,
    /// `drover wait --timeout`: the job is not finished yet.
    StillRunning,
}

impl Exit {
    /// Every exit, in the order of the codes.
    pub const ALL: [Self; 6] = [
        Self::Success,
        Self::JobFailed,
        Self::Usage,
        Self::Stopped,
        Self::Unreachable,
        Self::StillRunning,
    ];

    /// The number that the process returns.
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::JobFailed => 1,
            Self::Usage => 2,
            Self::Stopped => 3,
            Self::Unreachable => 4,
            Self::StillRunning => 5,
        }
    }

    /// What `run`, `wait`, `job` and `retry` return for a job in this state.
    pub fn of_job(record: &JobRecord) -> Self {
        match record.state {
            JobState::Success => Self::Success,
            JobState::Failure => Self::JobFailed,
            JobState::Killed => Self::Stopped,
            JobState::Starting | JobState::Running | JobState::Publishing | JobState::Egressing => {
                Self::StillRunning
            }
        }
    }

    /// The exit of several jobs in one command: that of the worst.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        self.max(other)
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
