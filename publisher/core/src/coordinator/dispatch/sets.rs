//! Pure: bundles the datums of a segment into sets; a set is one message.

use std::num::NonZeroU32;

use drover_shared::datum::Datum;
use drover_shared::pipeline::SetRule;
use drover_shared::units::total_bytes;

/// Upper limit of datums per set for every rule, so a message stays small.
const LARGEST_SET: usize = 4096;

/// Cuts `datums` into consecutive sets by `rule`, for `workers` workers.
pub(crate) fn bundle(datums: Vec<Datum>, rule: SetRule, workers: NonZeroU32) -> Vec<Vec<Datum>> {
    let most = most_datums(rule, datums.len(), workers);
    let most_bytes = match rule {
        SetRule::SizeBytes(bytes) => bytes,
        SetRule::Single | SetRule::Number(_) | SetRule::PerWorker(_) => u64::MAX,
    };
    let mut sets: Vec<Vec<Datum>> = Vec::new();
    let mut bytes = 0_u64;
    for datum in datums {
        let size = total_bytes(datum.inputs.iter().map(|input| input.size));
        match sets.last_mut() {
            Some(set) if set.len() < most && bytes < most_bytes => {
                bytes = bytes.saturating_add(size);
                set.push(datum);
            }
            _ => {
                bytes = size;
                sets.push(vec![datum]);
            }
        }
    }
    sets
}

fn most_datums(rule: SetRule, available: usize, workers: NonZeroU32) -> usize {
    let limit = match rule {
        SetRule::Single => 1,
        SetRule::Number(number) => usize_of(number),
        SetRule::SizeBytes(_) => LARGEST_SET,
        SetRule::PerWorker(number) => {
            available / usize_of(workers).saturating_mul(usize_of(number))
        }
    };
    limit.clamp(1, LARGEST_SET)
}

fn usize_of(number: NonZeroU32) -> usize {
    usize::try_from(number.get()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::samples::datum;

    /// Name, sizes of the datums, rule, workers, and how many datums each set holds.
    type Row = (&'static str, &'static [u64], SetRule, u32, &'static [usize]);

    fn sizes(sizes: &[u64], rule: SetRule, workers: u32) -> Vec<usize> {
        let datums = (0_u64..)
            .zip(sizes)
            .map(|(index, size)| datum(index, *size))
            .collect();
        bundle(datums, rule, NonZeroU32::new(workers).unwrap())
            .iter()
            .map(Vec::len)
            .collect()
    }

    #[test]
    fn a_rule_decides_where_a_set_ends() {
        let number = |number| NonZeroU32::new(number).unwrap();
        let rows: [Row; 9] = [
            ("one by one", &[1; 3], SetRule::Single, 1, &[1, 1, 1]),
            (
                "by number",
                &[1; 5],
                SetRule::Number(number(2)),
                1,
                &[2, 2, 1],
            ),
            (
                "by number, all in one",
                &[1; 3],
                SetRule::Number(number(9)),
                1,
                &[3],
            ),
            (
                "by size: closed once it holds them",
                &[4, 4, 4, 4],
                SetRule::SizeBytes(8),
                1,
                &[2, 2],
            ),
            (
                "by size: a large one stays alone",
                &[9, 9, 1],
                SetRule::SizeBytes(8),
                1,
                &[1, 1, 1],
            ),
            (
                "by size: empty files join",
                &[0, 0, 8, 0],
                SetRule::SizeBytes(8),
                1,
                &[3, 1],
            ),
            (
                "by worker",
                &[1; 8],
                SetRule::PerWorker(number(2)),
                2,
                &[2, 2, 2, 2],
            ),
            (
                "by worker, few datums",
                &[1; 2],
                SetRule::PerWorker(number(4)),
                4,
                &[1, 1],
            ),
            ("nothing", &[], SetRule::Number(number(2)), 1, &[]),
        ];
        for (name, datums, rule, workers, expected) in rows {
            assert_eq!(sizes(datums, rule, workers), expected, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_datum_is_lost_or_moved(input in proptest::collection::vec(0..10_u64, 0..50), bytes in 1..20_u64) {
            let datums: Vec<_> = (0_u64..).zip(&input).map(|(index, size)| datum(index, *size)).collect();
            let sets = bundle(datums.clone(), SetRule::SizeBytes(bytes), NonZeroU32::MIN);
            proptest::prop_assert_eq!(sets.concat(), datums);
        }
    }
}
