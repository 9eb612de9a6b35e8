//! Poison detection: the attempt marks of a datum tell how many workers died while they ran it.

use std::num::NonZeroU32;

use crate::flow::claimed::ClaimedDatum;
use crate::slots::SlotShare;

/// The least number of deaths that prove a datum to be poison. The first death may be caused by a datum that ran beside
/// the current one.
const PROOF: u32 = 2;

/// How likely a datum is to kill its worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::flow) enum Suspicion {
    /// No worker died while it ran the datum.
    Innocent,
    /// A worker died while it ran the datum or a neighbour; the datum runs alone.
    Suspect,
    /// The datum is not run again.
    Poison,
}

impl ClaimedDatum {
    /// How likely the datum is to kill its worker.
    pub(in crate::flow) fn suspicion(&self) -> Suspicion {
        Suspicion::of(self.deaths, self.job.pipeline.datum_tries)
    }
}

impl Suspicion {
    /// Judges a datum by the number of `deaths` and the `datum_tries` of its spec.
    pub(super) fn of(deaths: u32, tries: NonZeroU32) -> Self {
        match deaths {
            0 => Self::Innocent,
            _ if deaths < tries.get().max(PROOF) => Self::Suspect,
            _ => Self::Poison,
        }
    }

    /// The slots that the datum occupies.
    pub(in crate::flow) fn share(self) -> SlotShare {
        match self {
            Self::Innocent => SlotShare::One,
            Self::Suspect | Self::Poison => SlotShare::All,
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
