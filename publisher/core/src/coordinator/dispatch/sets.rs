//! Pure: cuts the datums of a segment into sets; a set is one message and one commit.

use std::cmp::Reverse;
use std::num::NonZeroU32;

use drover_shared::datum::{CommitUnit, Datum};
use drover_shared::ledger::SegmentSets;
use drover_shared::pipeline::SetRule;
use drover_shared::prediction::Durations;
use drover_shared::store::layout;
use drover_shared::units::whole_part;

/// Upper limit of datums per set for every rule, so a message stays small.
const LARGEST_SET: usize = 4096;

/// Datums published and committed together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DatumSet {
    pub(crate) unit: CommitUnit,
    /// In order, not empty.
    pub(crate) datums: Vec<Datum>,
}

/// The sizes of sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CutRule {
    pub(crate) rule: SetRule,
    pub(crate) workers: NonZeroU32,
    /// Datums for each set of [`SetRule::Automatic`].
    pub(crate) automatic: NonZeroU32,
}

/// Cuts `datums` of a segment into sets.
pub(crate) fn cut(datums: &[Datum], rule: CutRule) -> SegmentSets {
    let most = most_datums(rule, datums.len());
    let most_bytes = match rule.rule {
        SetRule::SizeBytes(bytes) => bytes,
        SetRule::Automatic | SetRule::Number(_) | SetRule::PerWorker(_) => u64::MAX,
    };
    let mut firsts: Vec<u64> = Vec::new();
    let (mut count, mut bytes) = (0, 0_u64);
    for datum in datums {
        let size = datum.input_bytes();
        let is_new = match firsts.last() {
            Some(first) => {
                count >= most
                    || bytes >= most_bytes
                    || first / layout::SHARD != datum.index / layout::SHARD
            }
            None => true,
        };
        if is_new {
            firsts.push(datum.index);
            (count, bytes) = (0, 0);
        }
        count += 1;
        bytes = bytes.saturating_add(size);
    }
    if firsts.len() == datums.len() {
        SegmentSets::singles()
    } else {
        SegmentSets::beginning_at(firsts)
    }
}

/// Puts `datums`, ascending, into the agreed sets.
pub(crate) fn grouped(datums: Vec<Datum>, sets: &SegmentSets) -> Vec<DatumSet> {
    let mut groups: Vec<DatumSet> = Vec::new();
    for datum in datums {
        let unit = sets.unit_of(datum.index);
        match groups.last_mut() {
            Some(group) if group.unit == unit && unit != CommitUnit::Single => {
                group.datums.push(datum);
            }
            _ => groups.push(DatumSet {
                unit,
                datums: vec![datum],
            }),
        }
    }
    groups
}

/// Sorts sets by the expected duration in whole seconds, the longest first. Sets of equal durations stay in order.
pub(crate) fn long_first(sets: &mut [DatumSet], durations: &Durations) {
    sets.sort_by_cached_key(|set| {
        let sizes = set.datums.iter().map(Datum::input_bytes);
        let seconds: f64 = sizes.filter_map(|size| durations.seconds(size)).sum();
        Reverse(whole_part(seconds))
    });
}

fn most_datums(rule: CutRule, available: usize) -> usize {
    let limit = match rule.rule {
        SetRule::Automatic => usize_of(rule.automatic),
        SetRule::Number(number) => usize_of(number),
        SetRule::SizeBytes(_) => LARGEST_SET,
        SetRule::PerWorker(number) => {
            available / usize_of(rule.workers).saturating_mul(usize_of(number))
        }
    };
    limit.clamp(1, LARGEST_SET)
}

fn usize_of(number: NonZeroU32) -> usize {
    usize::try_from(number.get()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use drover_shared::datum::VerdictState;
    use drover_shared::prediction::UsageModel;
    use drover_shared::testing::samples::usage;

    use super::*;
    use crate::testing::samples::{datum, verdict};

    /// Name, sizes of the datums, rule, workers, and how many datums each set holds.
    type Row = (&'static str, &'static [u64], SetRule, u32, &'static [usize]);

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    fn cut_by(rule: SetRule, workers: u32) -> CutRule {
        CutRule {
            rule,
            workers: number(workers),
            automatic: number(3),
        }
    }

    fn sets(datums: Vec<Datum>, rule: CutRule) -> Vec<DatumSet> {
        let sets = cut(&datums, rule);
        grouped(datums, &sets)
    }

    #[test]
    fn a_rule_decides_where_a_set_ends() {
        #[rustfmt::skip]
        let rows: [Row; 10] = [
            ("as measured",                         &[1; 7],        SetRule::Automatic,             1, &[3, 3, 1]),
            ("one by one",                          &[1; 3],        SetRule::Number(number(1)),     1, &[1, 1, 1]),
            ("by number",                           &[1; 5],        SetRule::Number(number(2)),     1, &[2, 2, 1]),
            ("by number, all in one",               &[1; 3],        SetRule::Number(number(9)),     1, &[3]),
            ("by size: closed once it holds them",  &[4, 4, 4, 4],  SetRule::SizeBytes(8),          1, &[2, 2]),
            ("by size: a large one stays alone",    &[9, 9, 1],     SetRule::SizeBytes(8),          1, &[1, 1, 1]),
            ("by size: empty files join",           &[0, 0, 8, 0],  SetRule::SizeBytes(8),          1, &[3, 1]),
            ("by worker",                           &[1; 8],        SetRule::PerWorker(number(2)),  2, &[2, 2, 2, 2]),
            ("by worker, few datums",               &[1; 2],        SetRule::PerWorker(number(4)),  4, &[1, 1]),
            ("nothing",                             &[],            SetRule::Number(number(2)),     1, &[]),
        ];
        for (name, sizes, rule, workers, expected) in rows {
            let datums = (0_u64..)
                .zip(sizes)
                .map(|(index, size)| datum(index, *size));
            let sets = sets(datums.collect(), cut_by(rule, workers));
            let found: Vec<_> = sets.iter().map(|set| set.datums.len()).collect();
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn a_set_is_committed_as_one_and_never_crosses_a_shard() {
        let begin = layout::SHARD - 2;
        let datums = (begin..begin + 4).map(|index| datum(index, 1)).collect();
        let units: Vec<_> = sets(datums, cut_by(SetRule::Automatic, 1))
            .iter()
            .map(|set| (set.unit, set.datums.len()))
            .collect();
        let set = CommitUnit::Set;
        assert_eq!(units, [(set(begin), 2), (set(layout::SHARD), 2)]);
    }

    #[test]
    fn datums_that_are_left_out_do_not_move_the_others() {
        let datums: Vec<_> = (0..9).map(|index| datum(index, 1)).collect();
        let agreed = cut(&datums, cut_by(SetRule::Automatic, 1));
        let left: Vec<_> = datums
            .into_iter()
            .filter(|datum| datum.index % 4 != 0)
            .collect();
        let units: Vec<_> = grouped(left, &agreed)
            .iter()
            .map(|set| (set.unit, set.datums.len()))
            .collect();
        let set = CommitUnit::Set;
        assert_eq!(units, [(set(0), 2), (set(3), 2), (set(6), 2)]);
    }

    #[test]
    fn long_datums_go_first_and_equally_long_ones_in_order() {
        let mut history = UsageModel::default();
        for (seconds, size) in [(0.1, 10), (2.0, 1000), (60.0, 1_000_000)] {
            for index in 0..10 {
                let mut ended = verdict(index, VerdictState::Success, &[]);
                ended.stats.download_bytes = size;
                ended.stats.process_time_s = seconds;
                ended.usage = Some(usage(0));
                history.learn(&ended);
            }
        }
        let sizes = [10, 11, 1000, 1_000_000, 12, 1001, 0];
        let datums = (0_u64..).zip(sizes);
        let datums: Vec<_> = datums.map(|(index, size)| datum(index, size)).collect();
        let order = |history: &UsageModel| {
            let mut sets = sets(datums.clone(), cut_by(SetRule::Number(number(1)), 1));
            long_first(&mut sets, &history.durations());
            let sets = sets.into_iter();
            sets.map(|set| set.datums[0].index).collect::<Vec<_>>()
        };
        assert_eq!(order(&history), [3, 2, 5, 0, 1, 4, 6]);
        assert_eq!(order(&UsageModel::default()), [0, 1, 2, 3, 4, 5, 6]);
    }

    proptest::proptest! {
        #[test]
        fn no_datum_is_lost_or_moved(input in proptest::collection::vec(0..10_u64, 0..50), bytes in 1..20_u64) {
            let datums: Vec<_> = (0_u64..).zip(&input).map(|(index, size)| datum(index, *size)).collect();
            let sets = sets(datums.clone(), cut_by(SetRule::SizeBytes(bytes), 1));
            let all: Vec<_> = sets.into_iter().flat_map(|set| set.datums).collect();
            proptest::prop_assert_eq!(all, datums);
        }
    }
}
