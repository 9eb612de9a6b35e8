//! Pure: the next event of a job in state `starting` or `running`.

use drover_shared::job::{JobEvent, JobState};

use crate::coordinator::StopRequest;

/// Progress of the work at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct WorkState {
    /// Datums known so far, skipped ones too.
    pub(crate) known: u64,
    /// How far the expansion is.
    pub(crate) expansion: Expansion,
    /// Known datums that have not ended.
    pub(crate) outstanding: u64,
    /// Datums that failed.
    pub(crate) failed: u64,
    /// True if the job publishes nothing: it runs only the first datums.
    pub(crate) is_first: bool,
    /// The event of an early end.
    pub(crate) early_end: Option<JobEvent>,
}

/// How far the expansion of a job is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Expansion {
    /// More datums may come.
    #[default]
    Underway,
    /// All datums are known.
    Complete,
    /// An input could not be read, so the datums will never all be known.
    Broken,
}

/// The event that is due for a job in `state`; none while the job only has to wait.
pub(crate) fn decide(state: JobState, request: &StopRequest, work: &WorkState) -> Option<JobEvent> {
    if !matches!(state, JobState::Starting | JobState::Running) {
        return None;
    }
    match (request, work.expansion) {
        (StopRequest::Stop { .. }, _) => Some(JobEvent::Stopped),
        (_, Expansion::Broken) => Some(JobEvent::Failed),
        _ if work.early_end.is_some() => work.early_end,
        _ if state == JobState::Starting && work.known > 0 => Some(JobEvent::Began),
        (StopRequest::Run, Expansion::Complete) if work.outstanding == 0 => Some(completion(work)),
        (StopRequest::Run | StopRequest::Drain, _) => None,
    }
}

fn completion(work: &WorkState) -> JobEvent {
    if work.failed > 0 {
        JobEvent::Failed
    } else if work.is_first {
        JobEvent::Stopped
    } else {
        JobEvent::Completed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Expansion::{Broken, Complete, Underway};
    use JobState::{Publishing, Running, Starting, Success};
    use StopRequest::{Drain, Run};

    #[test]
    fn the_facts_decide_what_a_job_comes_to() {
        let none = WorkState::default();
        let some = WorkState {
            known: 3,
            outstanding: 3,
            ..none
        };
        let ended = WorkState {
            known: 3,
            expansion: Complete,
            ..none
        };
        let stop = StopRequest::Stop {
            reason: "enough".to_owned(),
        };
        #[rustfmt::skip]
        let rows = [
            ("nothing is known yet",            Starting,   &Run,   none,                               None),
            ("the first datums are known",      Starting,   &Run,   some,                               Some(JobEvent::Began)),
            ("they are being worked on",        Running,    &Run,   some,                               None),
            ("all ended, more may come",        Running,    &Run,   WorkState { expansion: Underway, ..ended }, None),
            ("all ended",                       Running,    &Run,   ended,                              Some(JobEvent::Completed)),
            ("all ended, one failed",           Running,    &Run,   WorkState { failed: 1, ..ended },   Some(JobEvent::Failed)),
            ("too many failed, others still run", Running,  &Run,   WorkState { failed: 1, early_end: Some(JobEvent::Failed), ..some }, Some(JobEvent::Failed)),
            ("enough succeeded, others still run", Running, &Run,   WorkState { early_end: Some(JobEvent::Stopped), ..some }, Some(JobEvent::Stopped)),
            ("the first ones ended",            Running,    &Run,   WorkState { is_first: true, ..ended }, Some(JobEvent::Stopped)),
            ("the first ones ended, one failed", Running,   &Run,   WorkState { is_first: true, failed: 1, ..ended }, Some(JobEvent::Failed)),
            ("one failed, others still run",    Running,    &Run,   WorkState { failed: 1, ..some },    None),
            ("there is nothing to do",          Starting,   &Run,   WorkState { expansion: Complete, ..none }, Some(JobEvent::Completed)),
            ("stopped while it runs",           Running,    &stop,  some,                               Some(JobEvent::Stopped)),
            ("stopped as the last one ended",   Running,    &stop,  ended,                              Some(JobEvent::Stopped)),
            ("all ended while draining",        Running,    &Drain, ended,                              None),
            ("an input could not be read",      Running,    &Run,   WorkState { expansion: Broken, ..some }, Some(JobEvent::Failed)),
            ("the same, and stopped",           Running,    &stop,  WorkState { expansion: Broken, ..some }, Some(JobEvent::Stopped)),
            ("a late report while publishing",  Publishing, &Run,   ended,                              None),
            ("a late report after the end",     Success,    &stop,  ended,                              None),
        ];
        for (name, state, request, work, event) in rows {
            assert_eq!(decide(state, request, &work), event, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_decision_is_a_legal_step(
            state in 0..7_usize, known in 0..3_u64, outstanding in 0..3_u64, failed in 0..2_u64, is_first in proptest::bool::ANY, early_end in proptest::sample::select(vec![None, Some(JobEvent::Failed), Some(JobEvent::Stopped)]),
            expansion in proptest::sample::select(vec![Underway, Complete, Broken]),
            request in proptest::sample::select(vec![Run, Drain, StopRequest::Stop { reason: String::new() }]),
        ) {
            let states = [Starting, Running, Publishing, JobState::Egressing, Success, JobState::Failure, JobState::Killed];
            let work = WorkState { known, expansion, outstanding, failed, is_first, early_end };
            if let Some(event) = decide(states[state], &request, &work) {
                proptest::prop_assert!(states[state].after(event).is_ok());
            }
        }
    }
}
