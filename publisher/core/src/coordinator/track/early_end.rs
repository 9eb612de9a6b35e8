//! Pure: whether a job ends before the last datum, by failures or successes.

use std::num::NonZeroU32;

use drover_shared::job::{Counts, Halt, HaltMoment, HaltOutcome, JobEvent};
use drover_shared::pipeline::FailureLimit;

/// Least number of equal failures that end a job.
const FEWEST: u64 = 20;

/// When a job ends before the last datum.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EarlyEndRule {
    /// The job ends if so many datums have ended, all the first, and all failed for one cause. None: never.
    pub(crate) alike: Option<u64>,
    /// Limit of the spec.
    pub(crate) max_failures: Option<FailureLimit>,
    /// Condition of the submitter.
    pub(crate) halt: Option<Halt>,
}

/// The outcomes of a job's datums so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcomes {
    /// All datums by outcome.
    pub(crate) counts: Counts,
    /// Of all datums, the datums not run by the job: skipped, or taken over from an earlier job.
    pub(crate) not_run: Counts,
    /// True if the total is final.
    pub(crate) expanded: bool,
    /// Number of causes of all failures.
    pub(crate) causes: usize,
}

/// Why a job ends before the last datum.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EarlyEnd {
    /// The first datums all failed for one cause.
    AllAlike,
    /// There are more failures than `max_failures`.
    OverLimit,
    /// The condition of the submitter holds.
    Halted(Halt),
}

impl EarlyEnd {
    /// True if running datums go on to the end.
    pub(crate) fn lets_datums_end(self) -> bool {
        matches!(self, Self::Halted(halt) if halt.when == HaltMoment::Soon)
    }
}

impl Outcomes {
    /// Datums with a verdict of the job.
    pub(crate) fn worked(&self) -> u64 {
        self.counts.ended() - self.not_run.ended()
    }

    /// Failures of the job.
    fn failed(&self) -> u64 {
        self.counts.failed - self.not_run.failed
    }

    /// The datums that the job has to run, once all are known.
    fn run_in_all(&self) -> Option<u64> {
        let total = self.counts.total.saturating_sub(self.not_run.ended());
        self.expanded.then_some(total)
    }

    /// Datums of the job with the outcome.
    pub(crate) fn counted(&self, outcome: HaltOutcome) -> u64 {
        match outcome {
            HaltOutcome::Failed => self.failed(),
            HaltOutcome::Succeeded => self.counts.processed - self.not_run.processed,
            HaltOutcome::Done => self.worked(),
        }
    }

    /// The end of a job that is cut short: a failure, unless no datum failed.
    pub(crate) fn event(&self) -> JobEvent {
        if self.counts.failed > 0 {
            JobEvent::Failed
        } else {
            JobEvent::Stopped
        }
    }
}

impl EarlyEndRule {
    /// The number of equal failures that end a job on `slots` slots.
    pub(crate) fn equal_failures(slots: NonZeroU32) -> u64 {
        FEWEST.max(2 * u64::from(slots.get()))
    }

    /// The early end that is due.
    pub(crate) fn due(&self, outcomes: &Outcomes) -> Option<EarlyEnd> {
        let failed = outcomes.failed();
        let all_alike = failed == outcomes.worked() && failed > 0 && outcomes.causes == 1;
        if all_alike && self.alike.is_some_and(|first| failed >= first) {
            return Some(EarlyEnd::AllAlike);
        }
        if self
            .max_failures
            .is_some_and(|most| exceeds(most, outcomes))
        {
            return Some(EarlyEnd::OverLimit);
        }
        let halt = self.halt?;
        let counted = outcomes.counted(halt.outcome);
        let halts = halt.many.is_reached(counted, outcomes.run_in_all());
        halts.then_some(EarlyEnd::Halted(halt))
    }
}

/// A share means nothing before the total is known.
fn exceeds(most: FailureLimit, outcomes: &Outcomes) -> bool {
    let is_known = outcomes.expanded || matches!(most, FailureLimit::Datums(_));
    is_known && most.is_exceeded(outcomes.counts.failed, outcomes.counts.total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use EarlyEnd::{AllAlike, Halted, OverLimit};
    use FailureLimit::{Datums, Percent};

    fn outcomes(worked: u64, failed: u64, causes: usize) -> Outcomes {
        Outcomes {
            counts: Counts {
                total: 1000,
                failed,
                processed: worked - failed,
                ..Counts::default()
            },
            not_run: Counts::default(),
            expanded: true,
            causes,
        }
    }

    fn unknown(outcomes: Outcomes) -> Outcomes {
        Outcomes {
            expanded: false,
            ..outcomes
        }
    }

    #[test]
    fn the_first_datums_that_all_fail_alike_end_a_job() {
        #[rustfmt::skip]
        let rows = [
            ("nothing has ended",            false, 1,  outcomes(0, 0, 0),   None),
            ("too few to tell",              false, 1,  outcomes(19, 19, 1), None),
            ("twenty of twenty",             false, 1,  outcomes(20, 20, 1), Some(AllAlike)),
            ("one of them succeeded",        false, 1,  outcomes(21, 20, 1), None),
            ("of two causes",                false, 1,  outcomes(30, 30, 2), None),
            ("many slots, too few to tell",  false, 16, outcomes(31, 31, 1), None),
            ("many slots",                   false, 16, outcomes(32, 32, 1), Some(AllAlike)),
            ("it is to keep going",          true,  1,  outcomes(99, 99, 1), None),
        ];
        for (name, keep_going, slots, outcomes, expected) in rows {
            let first = EarlyEndRule::equal_failures(NonZeroU32::new(slots).unwrap());
            let rule = EarlyEndRule {
                alike: (!keep_going).then_some(first),
                ..EarlyEndRule::default()
            };
            assert_eq!(rule.due(&outcomes), expected, "{name}");
        }
    }

    #[test]
    fn more_failures_than_the_limit_end_a_job() {
        #[rustfmt::skip]
        let rows = [
            ("at the limit",               Datums(5),     outcomes(50, 5, 2),           None),
            ("over the limit",             Datums(5),     outcomes(50, 6, 2),           Some(OverLimit)),
            ("none may fail",              Datums(0),     outcomes(1, 1, 1),            Some(OverLimit)),
            ("a share",                    Percent(1.0),  outcomes(50, 10, 2),          None),
            ("over a share",               Percent(1.0),  outcomes(50, 11, 2),          Some(OverLimit)),
            ("the total is not known yet", Percent(1.0),  unknown(outcomes(50, 11, 2)), None),
        ];
        for (name, most, outcomes, expected) in rows {
            let rule = EarlyEndRule {
                max_failures: Some(most),
                ..EarlyEndRule::default()
            };
            assert_eq!(rule.due(&outcomes), expected, "{name}");
        }
    }

    /// Outcomes of a job with 499 skipped datums and a failure of an earlier job.
    fn half_skipped(outcomes: Outcomes) -> Outcomes {
        let not_run = Counts {
            skipped: 499,
            failed: 1,
            ..Counts::default()
        };
        let counts = Counts {
            skipped: 499,
            failed: outcomes.counts.failed + 1,
            ..outcomes.counts
        };
        Outcomes {
            counts,
            not_run,
            ..outcomes
        }
    }

    #[test]
    fn a_condition_counts_the_datums_that_the_job_runs() {
        #[rustfmt::skip]
        let rows = [
            ("soon,fail=1",      outcomes(9, 0, 0),                false),
            ("soon,fail=1",      outcomes(9, 1, 1),                true),
            ("now,fail=1",       half_skipped(outcomes(9, 0, 0)),  false),
            ("now,success=3",    outcomes(5, 3, 1),                false),
            ("now,success=3",    outcomes(6, 3, 1),                true),
            ("soon,done=1%",     outcomes(9, 9, 3),                false),
            ("soon,done=1%",     outcomes(10, 4, 3),               true),
            ("soon,done=1%",     unknown(outcomes(99, 4, 3)),      false),
            ("soon,done=1%",     half_skipped(outcomes(5, 0, 0)),  true),
            ("soon,success=1%",  half_skipped(outcomes(5, 1, 1)),  false),
        ];
        for (halt, outcomes, expected) in rows {
            let halt: Halt = halt.parse().unwrap();
            let rule = EarlyEndRule {
                halt: Some(halt),
                ..EarlyEndRule::default()
            };
            let expected = expected.then_some(Halted(halt));
            assert_eq!(rule.due(&outcomes), expected, "{halt} {outcomes:?}");
        }
    }
}
