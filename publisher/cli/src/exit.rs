//! Exit codes. Scripts depend on the codes: a meaning never changes.

use drover_shared::job::{JobRecord, JobState};

/// Result of a command, for the parent process.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Exit {
    /// The command did everything.
    Success,
    /// The job failed: some datums failed, or the output could not be published.
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
    /// All exits in the order of their codes.
    pub const ALL: [Self; 6] = [
        Self::Success,
        Self::JobFailed,
        Self::Usage,
        Self::Stopped,
        Self::Unreachable,
        Self::StillRunning,
    ];

    /// Exit code of the process.
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

    /// Exit of `run`, `wait`, `job` and `retry` for a job in the state.
    pub fn of_job(record: &JobRecord) -> Self {
        match record.state {
            JobState::Success => Self::Success,
            JobState::Failure => Self::JobFailed,
            JobState::Killed if record.ended_as_told => Self::Success,
            JobState::Killed => Self::Stopped,
            JobState::Starting | JobState::Running | JobState::Publishing | JobState::Egressing => {
                Self::StillRunning
            }
        }
    }

    /// The worse of two exits, for a command with several jobs.
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
