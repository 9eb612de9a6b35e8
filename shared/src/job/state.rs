//! The states of a job and the allowed transitions.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a job stands.
///
/// ```text
/// starting → running → publishing → egressing → success
///     └─────────┴───────────┴───────────┴─────→ failure | killed
/// ```
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Created; the inputs are not yet listed.
    Starting,
    /// Datums are being expanded and worked on.
    Running,
    /// All datums are done; the output folder is being brought up to date.
    Publishing,
    /// The output is being copied to the egress URL.
    Egressing,
    /// All is done.
    Success,
    /// Some datums failed, or the output could not be published.
    Failure,
    /// Stopped by a person, by `job_timeout`, or cut off.
    Killed,
}

/// The word shown to users and scripts, as in the record.
impl fmt::Display for JobState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Publishing => "publishing",
            Self::Egressing => "egressing",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Killed => "killed",
        })
    }
}

/// A cause for a transition between states.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum JobEvent {
    /// The first datums are known.
    Began,
    /// All datums ended and none failed.
    Completed,
    /// The output folder is up to date and must be copied to the egress URL.
    Published,
    /// No step is left.
    Finished,
    /// Some datums failed, or a later step did.
    Failed,
    /// Stopped by a person, a time limit or a crash.
    Stopped,
}

/// An event that is impossible in the job's state: a bug in the caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a job that is {state:?} cannot have {event:?}")]
pub struct InvalidTransition {
    /// Where the job stood.
    pub state: JobState,
    /// The impossible event.
    pub event: JobEvent,
}

impl JobState {
    /// True for the states without a successor.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Killed)
    }

    /// The state after `event`. No event changes a final state.
    pub fn after(self, event: JobEvent) -> Result<Self, InvalidTransition> {
        use {JobEvent as E, JobState as S};
        match (self, event) {
            (end, _) if end.is_final() => Ok(end),
            (_, E::Failed) => Ok(S::Failure),
            (_, E::Stopped) => Ok(S::Killed),
            (S::Starting | S::Running, E::Began) => Ok(S::Running),
            (S::Starting | S::Running, E::Completed) => Ok(S::Publishing),
            (S::Publishing, E::Published) => Ok(S::Egressing),
            (S::Publishing | S::Egressing, E::Finished) => Ok(S::Success),
            (state, event) => Err(InvalidTransition { state, event }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use JobEvent::{Began, Completed, Failed, Finished, Published, Stopped};
    use JobState::{Egressing, Failure, Killed, Publishing, Running, Starting, Success};

    const EVENTS: [JobEvent; 6] = [Began, Completed, Published, Finished, Failed, Stopped];

    #[test]
    fn a_job_moves_only_along_the_table() {
        // One row for each state; the columns follow `EVENTS`, and none means an invalid transition.
        let table = [
            (
                Starting,
                [
                    Some(Running),
                    Some(Publishing),
                    None,
                    None,
                    Some(Failure),
                    Some(Killed),
                ],
            ),
            (
                Running,
                [
                    Some(Running),
                    Some(Publishing),
                    None,
                    None,
                    Some(Failure),
                    Some(Killed),
                ],
            ),
            (
                Publishing,
                [
                    None,
                    None,
                    Some(Egressing),
                    Some(Success),
                    Some(Failure),
                    Some(Killed),
                ],
            ),
            (
                Egressing,
                [None, None, None, Some(Success), Some(Failure), Some(Killed)],
            ),
            (Success, [Some(Success); 6]),
            (Failure, [Some(Failure); 6]),
            (Killed, [Some(Killed); 6]),
        ];
        for (state, answers) in table {
            for (event, answer) in EVENTS.into_iter().zip(answers) {
                assert_eq!(state.after(event).ok(), answer, "{state:?} after {event:?}");
            }
        }
    }

    #[test]
    fn an_illegal_step_names_both_sides() {
        let step = Starting
            .after(Published)
            .expect_err("a job cannot publish before it runs");
        assert_eq!(
            step.to_string(),
            "a job that is Starting cannot have Published"
        );
    }
}
