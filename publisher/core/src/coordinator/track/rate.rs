//! Pure: datums finished per second, over the last few seconds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Length of the window.
const SPAN: Duration = Duration::from_secs(10);

/// A sliding window over a counter that only grows.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// Adds the sample `count` at `now`; returns the rate per second over the window.
    pub(crate) fn note(&mut self, now: Instant, count: u64) -> f64 {
        self.samples.push_back((now, count));
        // One sample older than the window stays, so the whole window is covered.
        while self
            .samples
            .get(1)
            .is_some_and(|(second, _)| now - *second >= SPAN)
        {
            self.samples.pop_front();
        }
        let Some((since, from)) = self.samples.front() else {
            return 0.0;
        };
        let seconds = (now - *since).as_secs_f64();
        if seconds < 0.001 {
            0.0
        } else {
            exact(count.saturating_sub(*from)) / seconds
        }
    }
}

/// Counts within a window are far below 2⁵³, where `f64` is exact.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts within a window are far below 2^53"
)]
fn exact(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_the_last_seconds_only() {
        let begin = Instant::now();
        let mut rate = Rate::default();
        let at = |second| begin + Duration::from_secs(second);
        assert!(rate.note(at(0), 0).abs() < 1e-9, "one sample tells nothing");
        assert!((rate.note(at(1), 50) - 50.0).abs() < 1e-9);
        for second in 2..=30 {
            rate.note(at(second), 50);
        }
        assert!(
            rate.note(at(31), 50).abs() < 1e-9,
            "nothing happened for 30 seconds"
        );
        assert!(rate.samples.len() <= 12, "{}", rate.samples.len());
    }
}
