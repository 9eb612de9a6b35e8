//! The choice of the waiting datum that starts next: the first that fits beside the running datums. Pure.

use std::collections::VecDeque;

/// How often later datums may start before a waiting datum that does not fit. Afterwards no datum passes, so enough becomes
/// free.
const MOST_PASSES: u32 = 32;

/// The part of a worker that a running datum takes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Demand {
    pub(crate) slots: u32,
    /// Bytes of memory.
    pub(crate) memory: u64,
    /// Graphics processors.
    pub(crate) gpus: u32,
}

impl Demand {
    /// The demand, limited to `all` of the worker: a larger datum runs alone.
    pub(crate) fn within(self, all: Self) -> Self {
        Self {
            slots: self.slots.min(all.slots),
            memory: self.memory.min(all.memory),
            gpus: self.gpus.min(all.gpus),
        }
    }

    fn fits(self, free: Self) -> bool {
        self.slots <= free.slots && self.memory <= free.memory && self.gpus <= free.gpus
    }

    /// The rest of `self` beside `taken`, which fits.
    pub(crate) fn without(self, taken: Self) -> Self {
        Self {
            slots: self.slots - taken.slots,
            memory: self.memory - taken.memory,
            gpus: self.gpus - taken.gpus,
        }
    }

    /// Both together.
    pub(crate) fn with(self, given: Self) -> Self {
        Self {
            slots: self.slots + given.slots,
            memory: self.memory + given.memory,
            gpus: self.gpus + given.gpus,
        }
    }
}

/// A waiting datum.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    pub(crate) demand: Demand,
    /// How many later datums started before.
    pub(crate) passes: u32,
    pub(crate) datum: T,
}

/// Takes the next datum to start out of the waiting datums, in the order of arrival; none if no datum fits.
pub(crate) fn take_next<T>(waiting: &mut VecDeque<Waiting<T>>, free: Demand) -> Option<Waiting<T>> {
    let mut place = 0;
    for (at, each) in waiting.iter().enumerate() {
        if each.demand.fits(free) {
            place = at;
            break;
        }
        if each.passes >= MOST_PASSES || at + 1 == waiting.len() {
            return None;
        }
    }
    for passed in waiting.iter_mut().take(place) {
        passed.passes += 1;
    }
    waiting.remove(place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn demand(slots: u32, memory: u64) -> Demand {
        Demand {
            slots,
            memory,
            gpus: 0,
        }
    }

    fn queue(demands: &[Demand]) -> VecDeque<Waiting<usize>> {
        let waiting = demands.iter().enumerate();
        waiting
            .map(|(datum, demand)| Waiting {
                demand: *demand,
                passes: 0,
                datum,
            })
            .collect()
    }

    fn next(demands: &[Demand], free: Demand) -> Option<usize> {
        Some(take_next(&mut queue(demands), free)?.datum)
    }

    #[test]
    fn the_first_that_fits_starts() {
        let free = demand(2, 100);
        let rows = [
            (vec![], None, "nothing waits"),
            (
                vec![demand(1, 50), demand(1, 10)],
                Some(0),
                "the order of arrival",
            ),
            (
                vec![demand(1, 500), demand(1, 10)],
                Some(1),
                "a large one is passed",
            ),
            (vec![demand(1, 500)], None, "a large one waits"),
            (
                vec![demand(3, 0), demand(2, 100)],
                Some(1),
                "slots count, too",
            ),
        ];
        for (waiting, expected, why) in rows {
            assert_eq!(next(&waiting, free), expected, "{why}");
        }
        let gpu = Demand {
            gpus: 1,
            ..demand(1, 1)
        };
        assert_eq!(next(&[gpu], free), None);
        assert_eq!(next(&[gpu], Demand { gpus: 1, ..free }), Some(0));
    }

    #[test]
    fn a_large_datum_is_passed_so_often_and_no_more() {
        let mut waiting = queue(&[demand(1, 100)]);
        let mut passed = 0;
        loop {
            waiting.push_back(Waiting {
                demand: demand(1, 1),
                passes: 0,
                datum: 7,
            });
            if take_next(&mut waiting, demand(1, 99)).is_none() {
                break;
            }
            passed += 1;
        }
        assert_eq!(passed, MOST_PASSES);
        assert_eq!(take_next(&mut waiting, demand(1, 100)).unwrap().datum, 0);
    }

    #[test]
    fn a_demand_beyond_the_worker_takes_all_of_it() {
        assert_eq!(demand(9, 900).within(demand(4, 100)), demand(4, 100));
    }

    proptest! {
        /// Datums arrive and run for a while, at random; every one starts, and what runs together always fits.
        #[test]
        fn nothing_starves_and_nothing_is_crowded(
            datums in proptest::collection::vec((1..=4_u32, 0..=100_u64, 1..9_u32), 1..120),
        ) {
            let all = demand(4, 100);
            let (mut free, mut running) = (all, Vec::new());
            let mut waiting = queue(&datums.iter().map(|(slots, memory, _)| demand(*slots, *memory)).collect::<Vec<_>>());
            let mut started = 0;
            for _ in 0..10_000 {
                while let Some(next) = take_next(&mut waiting, free) {
                    prop_assert!(next.demand.fits(free));
                    free = free.without(next.demand);
                    running.push((next.demand, datums[next.datum].2));
                    started += 1;
                }
                for (_, left) in &mut running {
                    *left -= 1;
                }
                running.retain(|(demand, left)| {
                    if *left == 0 {
                        free = free.with(*demand);
                    }
                    *left > 0
                });
            }
            prop_assert_eq!(started, datums.len());
            prop_assert_eq!(free, all);
        }
    }
}
