//! Pure: the first datums of a job: the smallest, the largest and a spread between, by the size of the inputs.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use drover_shared::datum::Datum;
use drover_shared::id::DatumId;
use drover_shared::job::WholeJob;
use drover_shared::ledger::DoneIndex;

use crate::expand::ExpandError;

/// Datums to choose from, for each datum of the sample.
const CANDIDATES: usize = 16;

/// The datums that run first, and the size of the whole.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// From the smallest to the largest, numbered from 0.
    pub(crate) datums: Vec<Datum>,
    /// All datums that are to be done.
    pub(crate) of: WholeJob,
}

/// Chooses `number` of the datums that are not done, without keeping all in memory.
pub(crate) fn sample(
    datums: impl Iterator<Item = Result<Datum, ExpandError>>,
    done: Option<&DoneIndex>,
    number: NonZeroU32,
) -> Result<Sample, ExpandError> {
    let number = usize::try_from(number.get()).unwrap_or(usize::MAX);
    let mut candidates = Candidates::new(number);
    for datum in datums {
        let datum = datum?;
        if done.is_none_or(|done| done.get(datum.id).is_none()) {
            candidates.add(datum);
        }
    }
    Ok(candidates.choose(number))
}

/// The smallest and the largest datum, and datums chosen at random: the least ids, as ids are hashes. So the choice is the
/// same for the same inputs.
struct Candidates {
    most: usize,
    of: WholeJob,
    extremes: Option<(Sized, Sized)>,
    by_id: BTreeMap<(DatumId, u64), Sized>,
}

#[derive(Clone)]
struct Sized {
    bytes: u64,
    datum: Datum,
}

impl Sized {
    /// Sizes compare first; among equals the earlier datum is smaller.
    fn order(&self) -> (u64, u64) {
        (self.bytes, self.datum.index)
    }

    fn key(&self) -> (DatumId, u64) {
        (self.datum.id, self.datum.index)
    }
}

impl Candidates {
    fn new(number: usize) -> Self {
        Self {
            most: number.saturating_mul(CANDIDATES),
            of: WholeJob::default(),
            extremes: None,
            by_id: BTreeMap::new(),
        }
    }

    fn add(&mut self, datum: Datum) {
        let bytes = datum.input_bytes();
        self.of.datums += 1;
        self.of.bytes = self.of.bytes.saturating_add(bytes);
        let sized = Sized { bytes, datum };
        match &mut self.extremes {
            None => self.extremes = Some((sized.clone(), sized.clone())),
            Some((smallest, _)) if sized.order() < smallest.order() => *smallest = sized.clone(),
            Some((_, largest)) if sized.order() > largest.order() => *largest = sized.clone(),
            Some(_) => {}
        }
        self.by_id.insert(sized.key(), sized);
        if self.by_id.len() > self.most {
            self.by_id.pop_last();
        }
    }

    /// The extremes and `number - 2` candidates at equal distances in the order of sizes.
    fn choose(mut self, number: usize) -> Sample {
        if let Some((smallest, largest)) = self.extremes {
            for extreme in [smallest, largest] {
                self.by_id.insert(extreme.key(), extreme);
            }
        }
        let mut sizes: Vec<Sized> = self.by_id.into_values().collect();
        sizes.sort_by_key(Sized::order);
        let places = places(sizes.len(), number);
        let chosen = (0_u64..).zip(places).map(|(index, place)| Datum {
            index,
            ..sizes[place].datum.clone()
        });
        Sample {
            datums: chosen.collect(),
            of: self.of,
        }
    }
}

/// `number` places of `length`, at equal distances, the first and the last among them; all places if there are no more.
fn places(length: usize, number: usize) -> Vec<usize> {
    if length <= number {
        return (0..length).collect();
    }
    let gaps = number.saturating_sub(1).max(1);
    (0..number).map(|step| step * (length - 1) / gaps).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::samples::datum;

    fn chosen(sizes: &[u64], number: u32) -> Sample {
        let datums = (0_u64..)
            .zip(sizes)
            .map(|(index, size)| Ok(datum(index, *size)));
        sample(datums, None, NonZeroU32::new(number).unwrap()).unwrap()
    }

    fn sizes(sample: &Sample) -> Vec<u64> {
        sample
            .datums
            .iter()
            .map(|datum| datum.inputs[0].size)
            .collect()
    }

    #[test]
    fn the_smallest_the_largest_and_a_spread_between_are_chosen() {
        let rows: [(&[u64], u32, &[u64]); 5] = [
            (&[], 3, &[]),
            (&[5, 1], 3, &[1, 5]),
            (&[9, 1, 7, 3, 5], 3, &[1, 5, 9]),
            (&[4; 9], 3, &[4, 4, 4]),
            (&[1, 2, 3, 4, 5, 6, 7], 4, &[1, 3, 5, 7]),
        ];
        for (input, number, expected) in rows {
            let sample = chosen(input, number);
            assert_eq!(sizes(&sample), expected, "{input:?}");
            assert_eq!(sample.of.datums, input.len() as u64);
            assert_eq!(sample.of.bytes, input.iter().sum::<u64>());
        }
    }

    proptest::proptest! {
        #[test]
        fn a_sample_of_many_has_both_ends_no_datum_twice_and_numbers_from_0(
            input in proptest::collection::vec(0..1_000_000_u64, 1..500), number in 3..12_u32,
        ) {
            let sample = chosen(&input, number);
            let found = sizes(&sample);
            proptest::prop_assert_eq!(found.len(), input.len().min(number as usize));
            proptest::prop_assert_eq!(found.first(), input.iter().min());
            proptest::prop_assert_eq!(found.last(), input.iter().max());
            proptest::prop_assert!(found.is_sorted());
            let mut ids: Vec<_> = sample.datums.iter().map(|datum| datum.id).collect();
            ids.sort();
            ids.dedup();
            proptest::prop_assert_eq!(ids.len(), found.len());
            let indexes: Vec<_> = sample.datums.iter().map(|datum| datum.index).collect();
            proptest::prop_assert_eq!(indexes, (0..found.len() as u64).collect::<Vec<_>>());
        }
    }
}
