//! Explores a state machine in all its states.

use std::collections::HashMap;
use std::hash::Hash;

/// A state machine with promises.
pub(super) trait Machine {
    /// A state.
    type State: Copy + Default + Eq + Hash;

    /// The next states, each with whether the step is calm: no crash, and no leader beside a living one.
    fn next(&self, state: &Self::State) -> Vec<(Self::State, bool)>;

    /// The promise that is broken in the state, if any.
    fn broken(&self, state: &Self::State) -> Option<&'static str>;

    /// True if all jobs have ended.
    fn is_done(&self, state: &Self::State) -> bool;
}

/// Explores all states. Returns their number, or the first broken promise.
pub(super) fn explore<M: Machine>(machine: &M) -> Result<usize, &'static str> {
    let begin = M::State::default();
    let mut numbers = HashMap::from([(begin, 0_usize)]);
    let mut states = vec![begin];
    let mut before: Vec<Vec<usize>> = vec![Vec::new()];
    let mut at = 0;
    while let Some(state) = states.get(at).copied() {
        if let Some(broken) = machine.broken(&state) {
            return Err(broken);
        }
        for (next, is_calm) in machine.next(&state) {
            let number = *numbers.entry(next).or_insert_with(|| {
                states.push(next);
                before.push(Vec::new());
                states.len() - 1
            });
            if is_calm {
                before[number].push(at);
            }
        }
        at += 1;
    }
    let ends = states.iter().map(|state| machine.is_done(state)).collect();
    if leads_to_the_end(ends, &before) {
        Ok(states.len())
    } else {
        Err("no job stands for ever")
    }
}

/// True if from every state an end can be reached, without further crashes.
fn leads_to_the_end(mut ends: Vec<bool>, before: &[Vec<usize>]) -> bool {
    let mut open: Vec<usize> = (0..ends.len()).filter(|number| ends[*number]).collect();
    while let Some(number) = open.pop() {
        for earlier in &before[number] {
            if !std::mem::replace(&mut ends[*earlier], true) {
                open.push(*earlier);
            }
        }
    }
    ends.into_iter().all(|ends| ends)
}
