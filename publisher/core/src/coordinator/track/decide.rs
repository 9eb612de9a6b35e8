//! Pure: what a job that has datums to do, or had, comes to next.

use drover_shared::job::{JobEvent, JobState};

/// What the coordinator knows of the work at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Facts {
    /// Datums known so far, skipped ones too.
    pub(crate) known: u64,
    /// Whether more will be known.
    pub(crate) expansion: Expansion,
    /// Datums known that have not ended.
    pub(crate) outstanding: u64,
    /// Datums that failed.
    pub(crate) failed: u64,
    /// What those who can stop the job want.
    pub(crate) wish: Wish,
}

/// How far the expansion of a job is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Expansion {
    /// More datums may come.
    #[default]
    Underway,
    /// All datums are known.
    Complete,
    /// They will never be: an input could not be read.
    Broken,
}

/// What those who can stop a job want of it.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Wish {
    /// That it goes on.
    #[default]
    GoOn,
    /// That nothing new is begun; the wish to stop will follow.
    Drain,
    /// That it ends now.
    Stop,
}

/// What happened to a job in state `state`, given the facts; none as long as there is only to wait.
pub(crate) fn decide(state: JobState, facts: &Facts) -> Option<JobEvent> {
    if !matches!(state, JobState::Starting | JobState::Running) {
        return None;
    }
    match (facts.wish, facts.expansion) {
        (Wish::Stop, _) => Some(JobEvent::Stopped),
        (_, Expansion::Broken) => Some(JobEvent::Failed),
        _ if state == JobState::Starting && facts.known > 0 => Some(JobEvent::Began),
        (Wish::GoOn, Expansion::Complete) if facts.outstanding == 0 => Some(completion(facts)),
        (Wish::GoOn | Wish::Drain, _) => None,
    }
}

fn completion(facts: &Facts) -> JobEvent {
    if facts.failed > 0 {
        JobEvent::Failed
    } else {
        JobEvent::Completed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Expansion::{Broken, Complete, Underway};
    use JobState::{Publishing, Running, Starting, Success};
    use Wish::{Drain, GoOn, Stop};

    #[test]
    fn the_facts_decide_what_a_job_comes_to() {
        let none = Facts::default();
        let some = Facts {
            known: 3,
            outstanding: 3,
            ..none
        };
        let ended = Facts {
            known: 3,
            expansion: Complete,
            ..none
        };
        #[rustfmt::skip]
        let rows = [
            ("nothing is known yet",            Starting,   none,                               None),
            ("the first datums are known",      Starting,   some,                               Some(JobEvent::Began)),
            ("they are being worked on",        Running,    some,                               None),
            ("all ended, more may come",        Running,    Facts { expansion: Underway, ..ended }, None),
            ("all ended",                       Running,    ended,                              Some(JobEvent::Completed)),
            ("all ended, one failed",           Running,    Facts { failed: 1, ..ended },       Some(JobEvent::Failed)),
            ("one failed, others still run",    Running,    Facts { failed: 1, ..some },        None),
            ("there is nothing to do",          Starting,   Facts { expansion: Complete, ..none },   Some(JobEvent::Completed)),
            ("stopped while it runs",           Running,    Facts { wish: Stop, ..some },    Some(JobEvent::Stopped)),
            ("stopped as the last one ended",   Running,    Facts { wish: Stop, ..ended },   Some(JobEvent::Stopped)),
            ("all ended while draining",        Running,    Facts { wish: Drain, ..ended },  None),
            ("an input could not be read",      Running,    Facts { expansion: Broken, ..some },     Some(JobEvent::Failed)),
            ("the same, and stopped",           Running,    Facts { expansion: Broken, wish: Stop, ..some }, Some(JobEvent::Stopped)),
            ("late news while publishing",      Publishing, ended,                              None),
            ("late news after the end",         Success,    Facts { wish: Stop, ..ended },   None),
        ];
        for (name, state, facts, event) in rows {
            assert_eq!(decide(state, &facts), event, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_decision_is_a_legal_step(
            state in 0..7_usize, known in 0..3_u64, outstanding in 0..3_u64, failed in 0..2_u64,
            expansion in proptest::sample::select(vec![Underway, Complete, Broken]),
            wish in proptest::sample::select(vec![GoOn, Drain, Stop]),
        ) {
            let states = [Starting, Running, Publishing, JobState::Egressing, Success, JobState::Failure, JobState::Killed];
            let facts = Facts { known, expansion, outstanding, failed, wish };
            if let Some(event) = decide(states[state], &facts) {
                proptest::prop_assert!(states[state].after(event).is_ok());
            }
        }
    }
}
