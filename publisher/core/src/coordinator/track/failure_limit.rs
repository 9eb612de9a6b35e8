//! Pure: whether failures end a job before its last datum.

use std::num::NonZeroU32;

use drover_shared::job::Counts;
use drover_shared::pipeline::FailureLimit;

/// The fewest failures that end a job early.
const FEWEST: u64 = 20;

/// When failures end a job.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FailureRule {
    /// The job ends if so many datums have ended, the first ones, and all failed for one cause. None: never.
    first: Option<u64>,
    /// Limit of the spec.
    most: Option<FailureLimit>,
}

/// Counts of the datums that a job has run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failures {
    /// All datums by outcome.
    pub(crate) counts: Counts,
    /// True if the total is final.
    pub(crate) expanded: bool,
    /// Datums with a verdict of the job.
    pub(crate) worked: u64,
    /// Of those, failures.
    pub(crate) failed: u64,
    /// Number of causes of all failures.
    pub(crate) causes: usize,
}

/// Why a job ends before its last datum.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TooManyFailures {
    /// The first datums all failed for one cause.
    AllAlike,
    /// There are more failures than `max_failures`.
    OverLimit,
}

impl FailureRule {
    /// The rule of a job on `slots` slots.
    pub(crate) fn new(keep_going: bool, slots: NonZeroU32, most: Option<FailureLimit>) -> Self {
        let first = FEWEST.max(2 * u64::from(slots.get()));
        Self {
            first: (!keep_going).then_some(first),
            most,
        }
    }

    pub(crate) fn broken_by(&self, failures: &Failures) -> Option<TooManyFailures> {
        let Failures {
            counts,
            worked,
            failed,
            ..
        } = *failures;
        let all_alike = failed == worked && failures.causes == 1;
        if all_alike && self.first.is_some_and(|first| worked >= first) {
            return Some(TooManyFailures::AllAlike);
        }
        let over = match self.most? {
            // A share means nothing before the total is known.
            FailureLimit::Percent(_) if !failures.expanded => false,
            most => most.is_exceeded(counts.failed, counts.total),
        };
        over.then_some(TooManyFailures::OverLimit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FailureLimit::{Datums, Percent};
    use TooManyFailures::{AllAlike, OverLimit};

    fn failures(worked: u64, failed: u64, causes: usize) -> Failures {
        Failures {
            counts: Counts {
                total: 1000,
                failed,
                processed: worked - failed,
                ..Counts::default()
            },
            expanded: true,
            worked,
            failed,
            causes,
        }
    }

    #[test]
    fn the_first_datums_that_all_fail_alike_end_a_job() {
        #[rustfmt::skip]
        let rows = [
            ("nothing has ended",            false, 1,  failures(0, 0, 0),   None),
            ("too few to tell",              false, 1,  failures(19, 19, 1), None),
            ("twenty of twenty",             false, 1,  failures(20, 20, 1), Some(AllAlike)),
            ("one of them succeeded",        false, 1,  failures(21, 20, 1), None),
            ("of two causes",                false, 1,  failures(30, 30, 2), None),
            ("many slots, too few to tell",  false, 16, failures(31, 31, 1), None),
            ("many slots",                   false, 16, failures(32, 32, 1), Some(AllAlike)),
            ("it is to keep going",          true,  1,  failures(99, 99, 1), None),
        ];
        for (name, keep_going, slots, failures, expected) in rows {
            let rule = FailureRule::new(keep_going, NonZeroU32::new(slots).unwrap(), None);
            assert_eq!(rule.broken_by(&failures), expected, "{name}");
        }
    }

    #[test]
    fn more_failures_than_the_limit_end_a_job() {
        let unknown = |failures| Failures {
            expanded: false,
            ..failures
        };
        #[rustfmt::skip]
        let rows = [
            ("at the limit",               Datums(5),     failures(50, 5, 2),           None),
            ("over the limit",             Datums(5),     failures(50, 6, 2),           Some(OverLimit)),
            ("none may fail",              Datums(0),     failures(1, 1, 1),            Some(OverLimit)),
            ("a share",                    Percent(1.0),  failures(50, 10, 2),          None),
            ("over a share",               Percent(1.0),  failures(50, 11, 2),          Some(OverLimit)),
            ("the total is not known yet", Percent(1.0),  unknown(failures(50, 11, 2)), None),
        ];
        for (name, most, failures, expected) in rows {
            let rule = FailureRule::new(true, NonZeroU32::MIN, Some(most));
            assert_eq!(rule.broken_by(&failures), expected, "{name}");
        }
    }
}
