//! Delays between attempts, with jitter, as an iterator; no sleeping inside.

use std::time::Duration;

/// The delay before the first repetition, on average.
const FIRST: Duration = Duration::from_millis(250);

/// The longest delay.
const LONGEST: Duration = Duration::from_secs(30);

/// Delays that double up to a maximum, each randomized by ±25 % so callers that failed together do not retry
/// together. The iterator never ends.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    longest: Duration,
    random: fastrand::Rng,
}

impl Backoff {
    /// Delays from a quarter of a second up to 30 s.
    pub fn new() -> Self {
        Self::between(FIRST, LONGEST)
    }

    /// Delays from about `first` up to `longest`.
    pub fn between(first: Duration, longest: Duration) -> Self {
        Self {
            next: first,
            longest,
            random: fastrand::Rng::new(),
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let spread = 0.75 + 0.5 * self.random.f64();
        let delay = self.next.mul_f64(spread).min(self.longest);
        self.next = (self.next * 2).min(self.longest);
        Some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_from_a_quarter_second_to_thirty() {
        let expected = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0];
        for (delay, middle) in Backoff::new().zip(expected) {
            let delay = delay.as_secs_f64();
            assert!(
                delay >= 0.75 * middle && delay <= (1.25 * middle).min(30.0),
                "{delay} s for {middle} s"
            );
        }
    }

    #[test]
    fn two_that_failed_together_do_not_come_back_together() {
        let delays: Vec<_> = Backoff::new().take(8).collect();
        assert_ne!(delays, Backoff::new().take(8).collect::<Vec<_>>());
    }
}
