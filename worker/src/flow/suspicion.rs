//! What the marks of a datum tell of it.

use std::num::NonZeroU32;

use crate::slots::Share;

/// The least number of deaths that prove anything: the first one may be a neighbour's doing, as the datum ran beside
/// others then.
const PROOF: u32 = 2;

/// Whether a datum takes its workers down with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Suspicion {
    /// No worker is known to have died while it ran.
    Innocent,
    /// It, or one that ran beside it; so it runs alone.
    Suspect,
    /// It is proved, and not run again.
    Poison,
}

impl Suspicion {
    /// What to think of a datum that so many workers died with, of `tries` attempts that its spec grants.
    pub(super) fn of(deaths: u32, tries: NonZeroU32) -> Self {
        match deaths {
            0 => Self::Innocent,
            _ if deaths < tries.get().max(PROOF) => Self::Suspect,
            _ => Self::Poison,
        }
    }

    /// How much of the worker it is to have for itself.
    pub(super) fn share(self) -> Share {
        match self {
            Self::Innocent => Share::One,
            Self::Suspect | Self::Poison => Share::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Suspicion::{Innocent, Poison, Suspect};

    #[test]
    fn one_death_proves_nothing_and_as_many_as_there_are_tries_prove_it() {
        // By tries: what 0, 1, 2, 3 and 4 deaths mean.
        let table = [
            (1, [Innocent, Suspect, Poison, Poison, Poison]),
            (2, [Innocent, Suspect, Poison, Poison, Poison]),
            (3, [Innocent, Suspect, Suspect, Poison, Poison]),
            (4, [Innocent, Suspect, Suspect, Suspect, Poison]),
        ];
        for (tries, row) in table {
            let tries = NonZeroU32::new(tries).unwrap();
            for (deaths, expected) in (0..).zip(row) {
                assert_eq!(
                    Suspicion::of(deaths, tries),
                    expected,
                    "{deaths} deaths, {tries} tries"
                );
            }
        }
    }
}
