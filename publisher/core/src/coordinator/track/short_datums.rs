//! Pure: the number of running datums too short for a report of their start.

use std::time::Instant;

use drover_shared::datum::Verdict;
use drover_shared::units::whole_part;

use super::rate::Rate;

/// Longest time of an unreported attempt, with a margin, in milliseconds.
const SHORT_MS: f64 = 250.0;

/// Datums without a report of their start. Their time in a second is the number of datums running at the same time.
#[derive(Debug, Default)]
pub(crate) struct ShortDatums {
    busy_ms: f64,
    rate: Rate,
}

impl ShortDatums {
    /// Counts a datum without a report of its start.
    pub(crate) fn note(&mut self, verdict: &Verdict) {
        let took_s = verdict.stats.process_time_s + verdict.stats.upload_time_s;
        let most = SHORT_MS * f64::from(verdict.attempts.max(1));
        self.busy_ms += (1000.0 * took_s).clamp(0.0, most);
    }

    /// Number of short datums that ran at the same time over the last few seconds, rounded up.
    pub(crate) fn running(&mut self, now: Instant) -> u64 {
        let busy = self.rate.note(now, whole_part(self.busy_ms)) / 1000.0;
        whole_part(busy.ceil())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use drover_shared::datum::{StageStats, VerdictState};

    use super::*;
    use crate::testing::samples::verdict;

    fn taking(seconds: f64) -> Verdict {
        Verdict {
            stats: StageStats {
                process_time_s: seconds,
                ..StageStats::default()
            },
            ..verdict(0, VerdictState::Success, &[])
        }
    }

    #[test]
    fn many_short_datums_are_not_nothing() {
        let begin = Instant::now();
        let mut short = ShortDatums::default();
        assert_eq!(short.running(begin), 0);
        // 157 datums a second of 12 ms each keep two slots busy.
        for second in 1..=5 {
            (0..157).for_each(|_| short.note(&taking(0.012)));
            let now = begin + Duration::from_secs(second);
            assert_eq!(short.running(now), 2, "{second}");
        }
        let later = begin + Duration::from_secs(60);
        short.running(later);
        assert_eq!(short.running(later + Duration::from_secs(1)), 0);
    }

    #[test]
    fn a_long_datum_whose_report_was_lost_counts_as_short() {
        let begin = Instant::now();
        let mut short = ShortDatums::default();
        short.running(begin);
        short.note(&taking(600.0));
        assert_eq!(short.running(begin + Duration::from_secs(1)), 1);
    }
}
