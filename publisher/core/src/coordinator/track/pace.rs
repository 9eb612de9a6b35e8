//! Pure: the pace of the datums of a job, and the size of automatic sets that follows.

use std::num::NonZeroU32;

use drover_shared::datum::Verdict;
use drover_shared::units::whole_part;

/// Seconds of work in a set: much longer than a message and a commit take, and shorter than a watching user notices.
const SET_S: f64 = 0.25;

/// Most datums in a set.
const MOST: u32 = 256;

/// Sets for each worker in the outstanding datums, at least: all workers end at about the same time.
const SETS_PER_WORKER: u64 = 4;

/// Weight of the newest datum in the mean.
const WEIGHT: f64 = 1.0 / 32.0;

/// The mean duration of the last few dozen datums.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JobPace {
    mean_s: Option<f64>,
}

impl JobPace {
    /// Takes a datum into account that was run in the current job.
    pub(crate) fn note(&mut self, verdict: &Verdict) {
        if verdict.taken_from.is_some() {
            return;
        }
        let stats = verdict.stats;
        let took = stats.download_time_s + stats.process_time_s + stats.upload_time_s;
        let mean = self.mean_s.unwrap_or(took);
        self.mean_s = Some(mean + (took - mean) * WEIGHT);
    }

    /// Datums for each set; none as long as no datum has ended.
    pub(crate) fn set_size(self, outstanding: u64, workers: NonZeroU32) -> Option<NonZeroU32> {
        let by_time = (SET_S / self.mean_s?.max(SET_S / f64::from(MOST))).min(f64::from(MOST));
        let share = outstanding / (u64::from(workers.get()) * SETS_PER_WORKER);
        let size = whole_part(by_time).min(share).max(1);
        NonZeroU32::new(u32::try_from(size).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::datum::{StageStats, VerdictState};

    use super::*;
    use crate::testing::samples::verdict;

    /// Name, durations in seconds, outstanding datums, workers, and the size of a set.
    type Row = (&'static str, &'static [f64], u64, u32, Option<u32>);

    fn taking(seconds: f64) -> Verdict {
        let stats = StageStats {
            process_time_s: seconds,
            ..StageStats::default()
        };
        Verdict {
            stats,
            ..verdict(0, VerdictState::Success, &[])
        }
    }

    fn size(durations: &[f64], outstanding: u64, workers: u32) -> Option<u32> {
        let mut pace = JobPace::default();
        for took in durations {
            pace.note(&taking(*took));
        }
        let workers = NonZeroU32::new(workers).unwrap();
        pace.set_size(outstanding, workers).map(NonZeroU32::get)
    }

    #[test]
    fn a_set_takes_a_moment_and_no_worker_gets_more_than_its_share() {
        #[rustfmt::skip]
        let rows: [Row; 9] = [
            ("nothing is known yet",                &[],                1 << 20, 2,   None),
            ("a no-op of a process that stays",     &[0.0],             1 << 20, 2,   Some(256)),
            ("a command that does nothing",         &[0.0012],          1 << 20, 2,   Some(208)),
            ("a picture",                           &[0.02],            1 << 20, 2,   Some(12)),
            ("a short film",                        &[0.2],             1 << 20, 2,   Some(1)),
            ("an hour",                             &[3600.0],          1 << 20, 2,   Some(1)),
            ("a long one among short ones",         &[0.001, 10.0],     1 << 20, 2,   Some(1)),
            ("few datums for many workers",         &[0.001],           1000,    100, Some(2)),
            ("the last datums",                     &[0.001],           3,       2,   Some(1)),
        ];
        for (name, durations, outstanding, workers, expected) in rows {
            assert_eq!(size(durations, outstanding, workers), expected, "{name}");
        }
        let settled = [vec![10.0], vec![0.001; 400]].concat();
        assert!(
            size(&settled, 1 << 20, 2) > Some(100),
            "an old outlier is forgotten"
        );
    }
}
