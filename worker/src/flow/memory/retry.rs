//! The memory of a datum, attempt by attempt: expected at first, then twice as much after each end for want of memory. Pure.

use std::num::NonZeroU32;

/// Ends of a datum within its expected memory, by the fault of a neighbour or a foreign program; further ends count.
const MOST_INNOCENT_ENDS: u32 = 10;

/// The part of a limit that the page cache and Drover's own processes may take, as a divisor: a command was ended at the limit
/// though it held a little less.
const OVERHEAD: u64 = 4;

/// The memory for the next attempt of a datum.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::flow) struct MemoryTries {
    /// Memory for the next attempt, in bytes.
    need: u64,
    /// The most memory that an attempt can have here, in bytes.
    most: u64,
    /// Attempts left, the current attempt included.
    left: u32,
    innocent: u32,
}

/// The consequence of an end for want of memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::flow) enum AfterShortage {
    /// Another attempt, with [`MemoryTries::need`].
    Again,
    /// No attempt is left.
    UsedUp,
    /// The datum had all memory of the worker.
    TooLarge,
}

impl MemoryTries {
    /// A datum that is expected to need `need` bytes, on a worker with `most` for it, and `tries` attempts.
    pub(in crate::flow) fn new(need: u64, most: u64, tries: NonZeroU32) -> Self {
        Self {
            need: need.min(most),
            most,
            left: tries.get(),
            innocent: 0,
        }
    }

    /// Memory for the next attempt, in bytes.
    pub(in crate::flow) fn need(&self) -> u64 {
        self.need
    }

    /// Takes note of an attempt that ended for want of memory when it held `held` bytes.
    pub(in crate::flow) fn after(&mut self, held: u64) -> AfterShortage {
        if held <= self.need && self.need < self.most && self.innocent < MOST_INNOCENT_ENDS {
            self.innocent += 1;
            return AfterShortage::Again;
        }
        if self.need >= self.most && held >= self.most - self.most / OVERHEAD {
            return AfterShortage::TooLarge;
        }
        self.left -= 1;
        if self.left == 0 {
            return AfterShortage::UsedUp;
        }
        self.need = self.need.max(held).saturating_mul(2).min(self.most);
        AfterShortage::Again
    }
}

#[cfg(test)]
mod tests {
    use super::AfterShortage::{Again, TooLarge, UsedUp};
    use super::*;

    fn tries(need: u64, tries: u32) -> MemoryTries {
        MemoryTries::new(need, 1000, NonZeroU32::new(tries).unwrap())
    }

    #[test]
    fn each_attempt_has_twice_as_much_until_the_tries_are_used_up() {
        let mut memory = tries(100, 3);
        assert_eq!((memory.after(150), memory.need()), (Again, 300));
        assert_eq!((memory.after(310), memory.need()), (Again, 620));
        assert_eq!(memory.after(700), UsedUp);
    }

    #[test]
    fn the_last_attempt_has_all_there_is() {
        let mut memory = tries(100, 9);
        assert_eq!((memory.after(600), memory.need()), (Again, 1000));
        assert_eq!(memory.after(1000), TooLarge);
        assert_eq!(tries(5000, 3).need(), 1000, "alone");
    }

    #[test]
    fn memory_that_others_took_is_waited_for() {
        let mut memory = tries(1000, 3);
        assert_eq!((memory.after(400), memory.need()), (Again, 1000));
        assert_eq!(memory.after(400), Again);
        assert_eq!(memory.after(400), UsedUp);
    }

    #[test]
    fn whoever_kept_to_the_expectation_is_not_charged() {
        let mut memory = tries(100, 2);
        for _ in 0..MOST_INNOCENT_ENDS {
            assert_eq!((memory.after(90), memory.need()), (Again, 100));
        }
        assert_eq!((memory.after(90), memory.need()), (Again, 200));
    }
}
