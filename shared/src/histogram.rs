//! A histogram over many orders of magnitude: eight steps for each power of two, so a quantile is at most an eighth too large.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Steps for each power of two.
const STEPS: u64 = 8;

/// Binary logarithm of [`STEPS`].
const STEPS_LOG: u32 = STEPS.ilog2();

/// Counts of numbers, by logarithmic steps. Its size is bounded by the range of the numbers: 8 steps for each power of two.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct LogHistogram {
    counts: BTreeMap<u16, u64>,
}

impl LogHistogram {
    /// Counts a number.
    pub fn add(&mut self, number: u64) {
        let count = self.counts.entry(step(number)).or_default();
        *count = count.saturating_add(1);
    }

    /// Adds all counts of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (step, more) in &other.counts {
            let count = self.counts.entry(*step).or_default();
            *count = count.saturating_add(*more);
        }
    }

    /// Halves all counts, so that later numbers weigh more. Single counts stay.
    pub fn fade(&mut self) {
        for count in self.counts.values_mut() {
            *count = count.div_ceil(2);
        }
    }

    /// How many numbers were counted.
    pub fn len(&self) -> u64 {
        self.counts
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// True if no number was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The least bound that the share `quantile`, from 0 to 1, of the numbers does not exceed; at most an eighth above the
    /// exact quantile. None without numbers.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let rank = rank(quantile, self.len());
        let mut below: u64 = 0;
        let mut steps = self.counts.iter();
        let found = steps.find(|(_, count)| {
            below = below.saturating_add(**count);
            below >= rank
        });
        found.map(|(step, _)| upper_end(*step))
    }
}

/// The place, from 1, of a quantile among `len` sorted numbers.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates; an error of one in 2⁵³ does not matter"
)]
fn rank(quantile: f64, len: u64) -> u64 {
    ((quantile.clamp(0.0, 1.0) * len as f64).ceil() as u64).clamp(1, len.max(1))
}

/// The number of the step that holds `number`. Each of the numbers below 8 has a step of its own.
fn step(number: u64) -> u16 {
    if number < STEPS {
        return u16::try_from(number).unwrap_or(0);
    }
    let octave = number.ilog2() - STEPS_LOG;
    let within = (number >> octave) - STEPS;
    let step = u64::from(octave + 1) * STEPS + within;
    u16::try_from(step).unwrap_or(u16::MAX)
}

/// The largest number of a step; of a step that a damaged record invented, the largest number there is.
fn upper_end(step: u16) -> u64 {
    let step = u64::from(step);
    if step < STEPS {
        return step;
    }
    let octave = u32::try_from(step / STEPS - 1).unwrap_or(u32::MAX);
    let next = u128::from(STEPS + step % STEPS + 1);
    let bits = u64::BITS - STEPS_LOG;
    if octave >= bits {
        return u64::MAX;
    }
    u64::try_from((next << octave) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(numbers: &[u64]) -> LogHistogram {
        let mut histogram = LogHistogram::default();
        for number in numbers {
            histogram.add(*number);
        }
        histogram
    }

    #[test]
    fn a_histogram_without_numbers_has_no_quantile() {
        assert_eq!(LogHistogram::default().quantile(0.5), None);
    }

    #[test]
    fn a_damaged_record_gives_large_numbers_and_no_panic() {
        let damaged: LogHistogram = serde_json::from_str(r#"{"65535": 3}"#).unwrap();
        assert_eq!(damaged.quantile(0.5), Some(u64::MAX));
    }

    proptest! {
        #[test]
        fn a_quantile_is_at_most_an_eighth_above_the_exact_one(
            mut numbers in proptest::collection::vec(any::<u64>().prop_map(|it| it >> (it % 64)), 1..200),
            quantile in 0.0..=1.0_f64,
        ) {
            let histogram = of(&numbers);
            numbers.sort_unstable();
            let place = usize::try_from(rank(quantile, numbers.len() as u64)).unwrap() - 1;
            let (exact, found) = (numbers[place], histogram.quantile(quantile).unwrap());
            prop_assert!(found >= exact && found - exact <= exact / 8, "{exact} {found}");
        }

        #[test]
        fn a_million_numbers_take_no_more_room_than_their_steps(
            numbers in proptest::collection::vec(0..1_u64 << 40, 0..300),
        ) {
            let histogram = of(&numbers);
            let mut twice = histogram.clone();
            twice.merge(&histogram);
            prop_assert_eq!(twice.len(), 2 * histogram.len());
            prop_assert_eq!(twice.counts.len(), histogram.counts.len());
            twice.fade();
            prop_assert_eq!(&twice, &histogram);
            let json = serde_json::to_string(&histogram).unwrap();
            prop_assert_eq!(serde_json::from_str::<LogHistogram>(&json).unwrap(), histogram);
        }
    }
}
