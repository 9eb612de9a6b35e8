//! Debounces changes of inputs. Pure.

use std::time::{Duration, Instant};

/// Inputs that change without end start a job after so many times the debounce time.
const MAX_DELAYS: u32 = 20;

/// The change that is being debounced, if any.
#[derive(Debug, Default)]
pub(super) struct Debounce(Option<Change>);

#[derive(Debug)]
struct Change {
    /// Time of the first difference.
    began: Instant,
    /// The last fingerprint.
    last: String,
    /// Time of the last fingerprint's first sight.
    since: Instant,
}

/// Decision about changed inputs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// The newest job was started for these inputs.
    Covered,
    /// Check again after the time.
    LookAgain(Duration),
    /// Start a job.
    NextWork,
}

impl Debounce {
    /// Decides about inputs with the fingerprint `now_are` when the newest job was started for `covered`.
    ///
    /// Inputs must keep their fingerprint for the time `settle`, so a half-written file starts no job and a burst
    /// of files starts one job. An endless stream of files starts a job all the same.
    pub(super) fn judge(
        &mut self,
        now_are: &str,
        covered: Option<&str>,
        settle: Duration,
        now: Instant,
    ) -> Verdict {
        if covered == Some(now_are) {
            self.0 = None;
            return Verdict::Covered;
        }
        let change = self.0.get_or_insert_with(|| Change {
            began: now,
            last: now_are.to_owned(),
            since: now,
        });
        if change.last != now_are {
            now_are.clone_into(&mut change.last);
            change.since = now;
        }
        let rest = settle.saturating_sub(now - change.since);
        if rest.is_zero() || now - change.began >= settle * MAX_DELAYS {
            self.0 = None;
            return Verdict::NextWork;
        }
        Verdict::LookAgain(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(2);

    /// Decisions for fingerprints seen at these seconds.
    fn judged(seen: &[(u64, &str)], covered: Option<&str>) -> Vec<Verdict> {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        seen.iter()
            .map(|(at, inputs)| {
                let now = start + Duration::from_secs(*at);
                debounce.judge(inputs, covered, SETTLE, now)
            })
            .collect()
    }

    #[test]
    fn inputs_that_have_a_job_start_none() {
        assert_eq!(
            judged(&[(0, "a"), (9, "a")], Some("a")),
            [Verdict::Covered; 2]
        );
    }

    #[test]
    fn a_change_starts_a_job_once_it_has_settled() {
        let later = |seconds| Verdict::LookAgain(Duration::from_secs(seconds));
        let verdicts = judged(&[(0, "b"), (1, "b"), (2, "b")], Some("a"));
        assert_eq!(verdicts, [later(2), later(1), Verdict::NextWork]);
        let verdicts = judged(&[(0, "b"), (1, "c"), (2, "c"), (3, "c")], None);
        assert_eq!(verdicts, [later(2), later(2), later(1), Verdict::NextWork]);
    }

    #[test]
    fn a_change_that_is_taken_back_starts_nothing() {
        let verdicts = judged(&[(0, "b"), (1, "a"), (5, "b")], Some("a"));
        assert_eq!(verdicts[1], Verdict::Covered);
        assert_eq!(verdicts[2], Verdict::LookAgain(SETTLE));
    }

    #[test]
    fn inputs_that_never_settle_start_a_job_all_the_same() {
        let names: Vec<String> = (0..60).map(|n| n.to_string()).collect();
        let seen: Vec<(u64, &str)> = (0..).zip(names.iter().map(String::as_str)).collect();
        let due = judged(&seen, None)
            .iter()
            .position(|it| *it == Verdict::NextWork);
        assert_eq!(due, Some(40));
    }
}
