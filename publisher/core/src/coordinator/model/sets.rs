//! Two leaders with different opinions on the cut of a segment, and two workers that commit sets whole or in parts.
//!
//! Leaders publish at any time, and workers know nothing of each other: a freeze of any length is covered. A crash or a drain
//! gives the message back whole.

use super::explore::{Machine, explore};

const DATUMS: u8 = 3;
const ALL: u8 = (1 << DATUMS) - 1;

/// The sets of each opinion: their datums, by the index of the first one. 0 for no set.
const CUTS: [[u8; DATUMS as usize]; 2] = [[0b111, 0, 0], [0b001, 0b110, 0]];

/// A guard of the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Guard {
    /// The first cut of a segment counts for all leaders.
    FirstCut,
    /// An element of a log is created only if its number is free.
    ElementNumber,
    /// A worker leaves out the datums of earlier elements.
    LeaveOut,
}

/// The task in the hands of a worker.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Task {
    /// The datums of the set; 0 for no task.
    set: u8,
    /// Datums without a verdict known to the worker.
    open: u8,
    /// Finished datums among the open datums.
    ended: u8,
    /// Elements known to the worker.
    known: usize,
}

impl Task {
    fn first(self) -> usize {
        self.set.trailing_zeros() as usize
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct State {
    /// The recorded cut, plus 1.
    cut: usize,
    /// Messages that are ready, by opinion and first index: true once published and not held.
    ready: [[bool; DATUMS as usize]; 2],
    has_published: [bool; 2],
    workers: [Task; 2],
    /// The log of each set, by its first index: the datums of each element; 0 for no element.
    logs: [[u8; DATUMS as usize]; DATUMS as usize],
    /// An element was replaced.
    has_forgotten: bool,
}

impl State {
    fn verdicts(&self) -> impl Iterator<Item = u8> {
        self.logs.into_iter().flatten()
    }

    fn canonical(mut self) -> Self {
        self.workers.sort_unstable();
        self
    }
}

#[derive(Clone, Copy)]
struct Protocol {
    without: Option<Guard>,
}

/// A next state, and whether it is calm.
type Next = (State, bool);

impl Protocol {
    fn has(self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    fn lead(self, state: &State, me: usize, next: &mut Vec<Next>) {
        if state.has_published[me] {
            return;
        }
        let mut published = *state;
        if published.cut == 0 {
            published.cut = me + 1;
        }
        let cut = if self.has(Guard::FirstCut) {
            published.cut - 1
        } else {
            me
        };
        for (first, set) in CUTS[cut].into_iter().enumerate() {
            published.ready[cut][first] |= set != 0;
        }
        published.has_published[me] = true;
        next.push((published, true));
    }

    fn work(self, state: &State, me: usize, next: &mut Vec<Next>) {
        let task = state.workers[me];
        let with = |task: Task| {
            let mut changed = *state;
            changed.workers[me] = task;
            changed
        };
        if task.set == 0 {
            for (cut, sets) in CUTS.into_iter().enumerate() {
                for first in (0..sets.len()).filter(|first| state.ready[cut][*first]) {
                    let set = sets[first];
                    let mut taken = with(Task {
                        set,
                        open: set,
                        ..Task::default()
                    });
                    taken.ready[cut][first] = false;
                    next.push((taken, true));
                }
            }
            return;
        }
        let mut given_back = with(Task::default());
        for (cut, sets) in CUTS.into_iter().enumerate() {
            if sets[task.first()] == task.set {
                given_back.ready[cut][task.first()] = true;
            }
        }
        next.push((given_back, false));
        for datum in (0..DATUMS).filter(|datum| task.open & !task.ended & (1 << datum) != 0) {
            let ended = task.ended | 1 << datum;
            next.push((with(Task { ended, ..task }), true));
        }
        if task.open == 0 {
            next.push((with(Task::default()), true));
        } else if task.ended != 0 && task.known < state.logs[0].len() {
            next.push((self.commit(state, me), true));
        }
    }

    /// A try to create the element after the last known element.
    fn commit(self, state: &State, me: usize) -> State {
        let mut changed = *state;
        let task = &mut changed.workers[me];
        let element = &mut changed.logs[task.first()][task.known];
        task.known += 1;
        if *element == 0 || !self.has(Guard::ElementNumber) {
            changed.has_forgotten |= *element & !task.ended != 0;
            *element = task.ended;
            task.open &= !task.ended;
            task.ended = 0;
        } else if self.has(Guard::LeaveOut) {
            task.open &= !*element;
            task.ended &= !*element;
        }
        changed
    }
}

impl Machine for Protocol {
    type State = State;

    fn next(&self, state: &State) -> Vec<Next> {
        let mut next = Vec::new();
        for me in 0..2 {
            self.lead(state, me, &mut next);
            self.work(state, me, &mut next);
        }
        next.into_iter()
            .map(|(state, is_calm)| (state.canonical(), is_calm))
            .collect()
    }

    fn broken(&self, state: &State) -> Option<&'static str> {
        let mut seen = 0;
        for element in state.verdicts() {
            if seen & element != 0 {
                return Some("a datum has one verdict");
            }
            seen |= element;
        }
        state
            .has_forgotten
            .then_some("work that succeeded is not forgotten")
    }

    fn is_done(&self, state: &State) -> bool {
        state.verdicts().fold(0, |seen, element| seen | element) == ALL
    }
}

#[test]
fn however_a_segment_is_cut_and_its_sets_are_committed_each_datum_has_one_verdict() {
    let states = explore(&Protocol { without: None });
    assert!(states.is_ok_and(|states| states > 1_000), "{states:?}");
}

#[test]
fn without_any_of_its_guards_a_set_breaks_a_promise() {
    let guards = [
        (Guard::FirstCut, "a datum has one verdict"),
        (Guard::ElementNumber, "work that succeeded is not forgotten"),
        (Guard::LeaveOut, "a datum has one verdict"),
    ];
    for (guard, promise) in guards {
        let without = Some(guard);
        assert_eq!(explore(&Protocol { without }), Err(promise), "{guard:?}");
    }
}
