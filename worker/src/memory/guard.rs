//! The guard's decision: which command ends when memory is short. Pure.

/// A running command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Occupant {
    pub(crate) run: u64,
    /// Memory that the command holds, in bytes.
    pub(crate) held: u64,
    /// Memory that was predicted or asked for, in bytes.
    pub(crate) need: u64,
}

/// The room for commands, in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Room {
    /// The memory that all commands together may hold.
    pub(crate) budget: u64,
    /// Memory that the machine has left; `None` if unknown.
    pub(crate) available: Option<u64>,
    /// The least that it must have left.
    pub(crate) floor: u64,
}

/// A part of the budget from which on the guard looks more often.
const CLOSE: u64 = 8;

impl Room {
    /// True if commands that hold `held` bytes together leave too little.
    fn is_short(&self, held: u64) -> bool {
        held > self.budget || self.available.is_some_and(|left| left < self.floor)
    }

    /// True if memory may soon be short.
    pub(crate) fn is_nearly_short(&self, held: u64) -> bool {
        let nearly = Self {
            budget: self.budget - self.budget / CLOSE,
            floor: self.floor.saturating_mul(2),
            ..*self
        };
        nearly.is_short(held)
    }
}

impl Occupant {
    /// Bytes beyond the need; negative below it.
    fn excess(&self) -> i128 {
        i128::from(self.held) - i128::from(self.need)
    }
}

/// The command to end: the command furthest beyond the need, if memory is short. Commands within the need stay.
pub(crate) fn victim(running: &[Occupant], room: Room) -> Option<Occupant> {
    let held = total(running);
    if !room.is_short(held) {
        return None;
    }
    // The end of a command that holds little would not help a machine on which others hold much.
    let least = if held > room.budget { 0 } else { room.floor };
    let worst = running
        .iter()
        .filter(|it| it.held >= least)
        .max_by_key(|it| (it.excess(), it.held, it.run))?;
    Some(*worst)
}

/// Bytes that the commands hold beyond their needs.
pub(crate) fn excess(running: &[Occupant]) -> u64 {
    running.iter().fold(0, |sum, it| {
        sum.saturating_add(it.held.saturating_sub(it.need))
    })
}

/// Bytes that the commands hold together.
pub(crate) fn total(running: &[Occupant]) -> u64 {
    running
        .iter()
        .fold(0, |sum, it| sum.saturating_add(it.held))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn occupant(run: u64, held: u64, need: u64) -> Occupant {
        Occupant { run, held, need }
    }

    const fn room(budget: u64, available: u64) -> Room {
        Room {
            budget,
            available: Some(available),
            floor: 10,
        }
    }

    #[test]
    fn the_command_furthest_beyond_its_need_ends() {
        let innocent = occupant(1, 70, 80);
        let hog = occupant(2, 40, 10);
        let rows = [
            (vec![], room(0, 0), None, "nothing runs"),
            (vec![innocent, hog], room(110, 99), None, "all fits"),
            (
                vec![innocent, hog],
                room(109, 99),
                Some(2),
                "the budget is used up",
            ),
            (
                vec![innocent, hog],
                room(500, 9),
                Some(2),
                "the machine is short",
            ),
            (
                vec![occupant(4, 9, 0)],
                room(500, 9),
                None,
                "others hold the memory of the machine",
            ),
            (
                vec![innocent],
                room(500, 9),
                Some(1),
                "nobody else is left to end",
            ),
            (
                vec![occupant(3, 90, 50)],
                room(80, 99),
                Some(3),
                "alone and too large",
            ),
        ];
        for (running, room, expected, why) in rows {
            let found = victim(&running, room).map(|it| it.run);
            assert_eq!(found, expected, "{why}");
        }
    }

    #[test]
    fn a_machine_that_does_not_tell_is_guarded_by_the_budget() {
        let room = Room {
            available: None,
            ..room(100, 0)
        };
        assert_eq!(victim(&[occupant(1, 100, 0)], room), None);
        assert!(room.is_nearly_short(95) && !room.is_nearly_short(50));
    }

    proptest! {
        #[test]
        fn no_command_within_its_need_ends_before_one_beyond(
            commands in proptest::collection::vec((0..1000_u64, 0..1000_u64), 1..20),
            budget in 0..5000_u64,
        ) {
            let running: Vec<_> = (0..)
                .zip(commands)
                .map(|(run, (held, need))| occupant(run, held, need))
                .collect();
            let found = victim(&running, room(budget, 99));
            prop_assert_eq!(found.is_some(), total(&running) > budget);
            if let Some(ended) = found {
                let worst = running.iter().map(Occupant::excess).max().unwrap();
                prop_assert_eq!(ended.excess(), worst);
            }
        }
    }
}
