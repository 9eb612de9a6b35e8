//! Expected durations of datums, by the size of the inputs. Pure.

/// Seconds of a datum's command, by the number of binary digits of the size of its inputs.
#[derive(Clone, Debug, Default)]
pub struct Durations(Vec<f64>);

impl Durations {
    /// The durations for sizes of 0, 1, 2, … binary digits.
    pub(super) fn new(by_digits: Vec<f64>) -> Self {
        Self(by_digits)
    }

    /// Seconds that half of the datums with inputs of `size` bytes take; none as long as too few datums have ended.
    pub fn seconds(&self, size: u64) -> Option<f64> {
        self.0.get(usize::from(digits(size))).copied()
    }
}

/// The number of binary digits of `size`.
pub(super) fn digits(size: u64) -> u8 {
    u8::try_from(u64::BITS - size.leading_zeros()).unwrap_or(u8::MAX)
}
