//! Pure: what a job that has datums to do, or had, comes to next.

use drover_shared::job::{JobEvent, JobState};

/// What the coordinator knows of the work at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Facts {
    /// Datums known so far, skipped ones too.
    pub(super) known: u64,
    /// Whether all datums are known.
    pub(super) expanded: bool,
    /// Datums known that have not ended.
    pub(super) outstanding: u64,
    /// Datums that failed.
    pub(super) failed: u64,
    /// Somebody wants the process to end: nothing new is begun, and the word that it is over will follow.
    pub(super) draining: bool,
    /// The job is to end now.
    pub(super) stopped: bool,
    /// Its datums cannot all be known: an input could not be read.
    pub(super) broken: bool,
}

/// What happened to a job in state `state`, given the facts; none as long as there is only to wait.
pub(super) fn decide(state: JobState, facts: &Facts) -> Option<JobEvent> {
    match state {
        JobState::Starting | JobState::Running if facts.stopped => Some(JobEvent::Stopped),
        JobState::Starting | JobState::Running if facts.broken => Some(JobEvent::Failed),
        JobState::Starting if facts.known > 0 => Some(JobEvent::Began),
        JobState::Starting | JobState::Running => completion(facts),
        _ => None,
    }
}

fn completion(facts: &Facts) -> Option<JobEvent> {
    let complete = facts.expanded && facts.outstanding == 0 && !facts.draining;
    match (complete, facts.failed) {
        (false, _) => None,
        (true, 0) => Some(JobEvent::Completed),
        (true, _) => Some(JobEvent::Failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use JobState::{Publishing, Running, Starting, Success};

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
            expanded: true,
            ..none
        };
        #[rustfmt::skip]
        let rows = [
            ("nothing is known yet",            Starting,   none,                               None),
            ("the first datums are known",      Starting,   some,                               Some(JobEvent::Began)),
            ("they are being worked on",        Running,    some,                               None),
            ("all ended, more may come",        Running,    Facts { expanded: false, ..ended }, None),
            ("all ended",                       Running,    ended,                              Some(JobEvent::Completed)),
            ("all ended, one failed",           Running,    Facts { failed: 1, ..ended },       Some(JobEvent::Failed)),
            ("one failed, others still run",    Running,    Facts { failed: 1, ..some },        None),
            ("there is nothing to do",          Starting,   Facts { expanded: true, ..none },   Some(JobEvent::Completed)),
            ("stopped while it runs",           Running,    Facts { stopped: true, ..some },    Some(JobEvent::Stopped)),
            ("stopped as the last one ended",   Running,    Facts { stopped: true, ..ended },   Some(JobEvent::Stopped)),
            ("all ended while draining",        Running,    Facts { draining: true, ..ended },  None),
            ("drained and stopped",             Running,    Facts { draining: true, stopped: true, ..ended }, Some(JobEvent::Stopped)),
            ("an input could not be read",      Running,    Facts { broken: true, ..some },     Some(JobEvent::Failed)),
            ("the same, and stopped",           Running,    Facts { broken: true, stopped: true, ..some }, Some(JobEvent::Stopped)),
            ("late news while publishing",      Publishing, ended,                              None),
            ("late news after the end",         Success,    Facts { stopped: true, ..ended },   None),
        ];
        for (name, state, facts, event) in rows {
            assert_eq!(decide(state, &facts), event, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_decision_is_a_legal_step(
            state in 0..7_usize, known in 0..3_u64, outstanding in 0..3_u64, failed in 0..2_u64, flags in 0..16_u8,
        ) {
            let states = [Starting, Running, Publishing, JobState::Egressing, Success, JobState::Failure, JobState::Killed];
            let facts = Facts {
                known, outstanding, failed,
                expanded: flags & 1 > 0, draining: flags & 2 > 0, stopped: flags & 4 > 0, broken: flags & 8 > 0,
            };
            if let Some(event) = decide(states[state], &facts) {
                proptest::prop_assert!(states[state].after(event).is_ok());
            }
        }
    }
}
