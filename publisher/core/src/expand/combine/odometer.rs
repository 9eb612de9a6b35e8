//! Counting through combinations.

/// All combinations of one number below each limit, the last number varying fastest.
/// Without limits the empty combination is the only one.
#[derive(Debug)]
pub(crate) struct Odometer {
    limits: Vec<usize>,
    /// Next combination; `None` after the last.
    next: Option<Vec<usize>>,
}

impl Odometer {
    pub(crate) fn new(limits: Vec<usize>) -> Self {
        let next = limits
            .iter()
            .all(|limit| *limit > 0)
            .then(|| vec![0; limits.len()]);
        Self { limits, next }
    }

    /// The next combination, or `None` at the end.
    pub(crate) fn current(&self) -> Option<&[usize]> {
        self.next.as_deref()
    }

    /// Moves to the next combination.
    pub(crate) fn advance(&mut self) {
        let Some(numbers) = &mut self.next else {
            return;
        };
        for (number, limit) in numbers.iter_mut().zip(&self.limits).rev() {
            *number += 1;
            if *number < *limit {
                return;
            }
            *number = 0;
        }
        self.next = None;
    }
}
