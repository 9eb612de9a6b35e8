//! Needs of a pipeline's datums, learned from ended datums. Pure, and of bounded size.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::durations::{Durations, digits};
use crate::datum::{Cause, Verdict, VerdictState};
use crate::histogram::LogHistogram;
use crate::id::DatumId;
use crate::units::whole_part;

/// Most datums whose own memory is remembered.
const REMEMBERED: usize = 4096;

/// Datums of similar size from which on no other sizes are asked.
const ENOUGH: u64 = 10;

/// The number of ended datums from which on durations are predicted.
const FEW: u64 = 3;

/// The share of datums that a prediction of memory is meant to cover. A larger share would leave most of a worker's memory
/// idle, since those that need more rarely do so at the same time; see `docs/decisions/memory.md`.
const COVERED: f64 = 0.8;

/// Bytes of memory; no lighter datum is remembered by its id.
const LIGHT: u64 = 32 << 20;

/// Datums of a class of sizes from which on earlier jobs fade.
const FADES_AT: u64 = 256;

/// The part of a datum's own last memory by which its next prediction is larger, as a divisor.
const MARGIN: u64 = 16;

/// Needs of a pipeline's datums.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct UsageModel {
    /// By the number of binary digits of the size of a datum's inputs in bytes.
    sizes: BTreeMap<u8, SizeClass>,
    /// The memory of the datums that needed most, in bytes.
    heaviest: BTreeMap<DatumId, u64>,
}

/// Needs of the datums whose inputs are about equally large.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
struct SizeClass {
    /// Bytes of memory.
    memory: LogHistogram,
    /// Time of the command.
    milliseconds: LogHistogram,
}

/// The expected needs of a datum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Bytes of memory that suffice for 80 of 100 such datums.
    pub memory_bytes: u64,
    /// The reason for the memory.
    pub basis: PredictionBasis,
    /// Seconds of the command that half of such datums take.
    pub seconds: f64,
}

/// Why a prediction is as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PredictionBasis {
    /// The datum itself needed as much before, in bytes.
    Itself(u64),
    /// So many datums with inputs of a similar size.
    Similar(u64),
}

impl UsageModel {
    /// True if nothing was learned.
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty() && self.heaviest.is_empty()
    }

    /// Learns from an ended datum. A failed datum tells nothing, unless for want of memory: the need is larger than the
    /// memory that the datum had.
    pub fn learn(&mut self, verdict: &Verdict) {
        let Some(usage) = &verdict.usage else { return };
        match (verdict.state, &verdict.cause) {
            (VerdictState::Success, _) => {
                let class = self.class(verdict.stats.download_bytes);
                class.memory.add(usage.memory_bytes);
                let milliseconds = verdict.stats.process_time_s * 1000.0;
                class.milliseconds.add(whole_part(milliseconds.round()));
                self.remember(verdict.datum, usage.memory_bytes);
            }
            (_, Some(Cause::Memory { bytes, .. })) => {
                self.remember(verdict.datum, bytes.saturating_mul(2));
            }
            _ => {}
        }
    }

    /// Adds the needs of the datums of a later job. Earlier jobs weigh less from then on.
    pub fn add(&mut self, later: &Self) {
        for (digits, more) in &later.sizes {
            let class = self.sizes.entry(*digits).or_default();
            for (known, more) in [
                (&mut class.memory, &more.memory),
                (&mut class.milliseconds, &more.milliseconds),
            ] {
                while known.len() > FADES_AT {
                    let before = known.len();
                    known.fade();
                    if known.len() == before {
                        break;
                    }
                }
                known.merge(more);
            }
        }
        for (datum, memory) in &later.heaviest {
            self.heaviest.insert(*datum, *memory);
        }
        self.forget_lightest();
    }

    /// The expected needs of a datum with inputs of `size` bytes; none before anything was learned.
    pub fn predict(&self, datum: DatumId, size: u64) -> Option<Prediction> {
        let similar = self.similar(size);
        let of_similar = similar.memory.quantile(COVERED);
        let own = self.heaviest.get(&datum).copied();
        let basis = match (own, of_similar) {
            (Some(own), _) => PredictionBasis::Itself(own),
            (None, Some(_)) => PredictionBasis::Similar(similar.memory.len()),
            (None, None) => return None,
        };
        let memory_bytes = match own {
            Some(own) => own.saturating_add(own / MARGIN),
            None => of_similar?,
        };
        Some(Prediction {
            memory_bytes,
            basis,
            seconds: seconds(similar.milliseconds.quantile(0.5).unwrap_or(0)),
        })
    }

    /// The expected durations of datums of all sizes; none before three datums have ended.
    pub fn durations(&self) -> Durations {
        let ended: u64 = self.sizes.values().map(|it| it.milliseconds.len()).sum();
        if ended < FEW {
            return Durations::default();
        }
        let by_digits = (0..=digits(u64::MAX)).map(|digits| {
            let similar = self.similar_to(digits);
            seconds(similar.milliseconds.quantile(0.5).unwrap_or(0))
        });
        Durations::new(by_digits.collect())
    }

    fn class(&mut self, size: u64) -> &mut SizeClass {
        self.sizes.entry(digits(size)).or_default()
    }

    /// The datums with inputs of the most similar sizes, as many as are needed for a prediction.
    fn similar(&self, size: u64) -> SizeClass {
        self.similar_to(digits(size))
    }

    fn similar_to(&self, own: u8) -> SizeClass {
        let mut classes: Vec<(&u8, &SizeClass)> = self.sizes.iter().collect();
        classes.sort_by_key(|(digits, _)| (digits.abs_diff(own), u8::MAX - **digits));
        let mut similar = SizeClass::default();
        for (_, class) in classes {
            if similar.memory.len() >= ENOUGH {
                break;
            }
            similar.memory.merge(&class.memory);
            similar.milliseconds.merge(&class.milliseconds);
        }
        similar
    }

    fn remember(&mut self, datum: DatumId, memory: u64) {
        if memory < LIGHT {
            self.heaviest.remove(&datum);
            return;
        }
        self.heaviest.insert(datum, memory);
        if self.heaviest.len() > 2 * REMEMBERED {
            self.forget_lightest();
        }
    }

    fn forget_lightest(&mut self) {
        let Some(surplus) = self.heaviest.len().checked_sub(REMEMBERED + 1) else {
            return;
        };
        let mut all: Vec<(u64, DatumId)> = self
            .heaviest
            .iter()
            .map(|(datum, memory)| (*memory, *datum))
            .collect();
        all.select_nth_unstable(surplus);
        for (_, datum) in all.drain(..=surplus) {
            self.heaviest.remove(&datum);
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an error of one in 2⁵³ does not matter"
)]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::datum::StageStats;
    use crate::testing::samples::{success, usage};

    const MB: u64 = 1 << 20;

    fn id(n: u64) -> DatumId {
        DatumId::from_hash(&blake3::hash(&n.to_le_bytes()))
    }

    fn verdict(n: u64, size: u64, memory_bytes: u64) -> Verdict {
        Verdict {
            stats: StageStats {
                download_bytes: size,
                process_time_s: 2.0,
                ..StageStats::default()
            },
            usage: Some(usage(memory_bytes)),
            ..success(n, id(n))
        }
    }

    fn learned(verdicts: impl IntoIterator<Item = Verdict>) -> UsageModel {
        let mut model = UsageModel::default();
        verdicts.into_iter().for_each(|it| model.learn(&it));
        model
    }

    fn near(found: u64, expected: u64) -> bool {
        found >= expected && found <= expected + expected / 8
    }

    #[test]
    fn nothing_is_predicted_from_nothing() {
        assert_eq!(UsageModel::default().predict(id(1), 5), None);
        assert!(UsageModel::default().is_empty());
    }

    #[test]
    fn ten_datums_of_a_size_predict_the_next() {
        let model = learned((0..10).map(|n| verdict(n, 1000 + n, (50 + n) * MB)));
        let prediction = model.predict(id(99), 1005).unwrap();
        assert!(near(prediction.memory_bytes, 57 * MB), "{prediction:?}");
        assert_eq!(prediction.basis, PredictionBasis::Similar(10));
        assert!((2.0..2.3).contains(&prediction.seconds));
    }

    #[test]
    fn durations_are_known_by_size_once_three_datums_have_ended() {
        let few = learned((0..2).map(|n| verdict(n, 1000, 50 * MB)));
        assert_eq!(few.durations().seconds(1000), None);
        let of = |n, size, process_time_s| {
            let mut verdict = verdict(n, size, 50 * MB);
            verdict.stats.process_time_s = process_time_s;
            verdict
        };
        let small = (0..20).map(|n| of(n, 1 << 10, 1.0));
        let large = (20..40).map(|n| of(n, 1 << 30, 60.0));
        let durations = learned(small.chain(large)).durations();
        for (size, expected) in [(0, 1.0), (1 << 12, 1.0), (1 << 28, 60.0), (u64::MAX, 60.0)] {
            let found = durations.seconds(size).unwrap();
            assert!(
                (expected..expected * 1.1).contains(&found),
                "{size}: {found}"
            );
        }
    }

    #[test]
    fn a_datum_that_was_seen_needs_what_it_needed() {
        let model = learned((0..100).map(|n| verdict(n, 10, if n == 7 { 3000 } else { 90 } * MB)));
        let heavy = model.predict(id(7), 10).unwrap();
        assert!(near(heavy.memory_bytes, 3000 * MB));
        assert_eq!(heavy.basis, PredictionBasis::Itself(3000 * MB));
        let new = model.predict(id(1000), 10).unwrap();
        assert!(near(new.memory_bytes, 90 * MB), "the tail is not the rule");
    }

    #[test]
    fn sizes_nearby_are_asked_first() {
        let small = (0..20).map(|n| verdict(n, 1 << 10, 10 * MB));
        let large = (20..40).map(|n| verdict(n, 1 << 30, 900 * MB));
        let model = learned(small.chain(large));
        for (size, expected) in [(0, 10), (1 << 12, 10), (1 << 28, 900), (1 << 40, 900)] {
            let found = model.predict(id(99), size).unwrap().memory_bytes;
            assert!(near(found, expected * MB), "{size}: {found}");
        }
    }

    #[test]
    fn a_datum_that_lacked_memory_is_expected_to_need_twice_as_much() {
        let mut short = verdict(1, 10, 500 * MB);
        short.state = VerdictState::Failed;
        let bytes = 500 * MB;
        short.cause = Some(Cause::Memory {
            bytes,
            input_bytes: 10,
            most: None,
        });
        let found = learned([short.clone()]).predict(id(1), 10).unwrap();
        assert!(near(found.memory_bytes, 1000 * MB));
        short.cause = None;
        assert!(learned([short]).is_empty(), "other failures tell nothing");
    }

    #[test]
    fn what_a_pipeline_needs_today_outweighs_what_it_needed() {
        let earlier = learned((0..100_000).map(|n| verdict(n % 50, 10, 800 * MB)));
        let later = learned((100..5_000).map(|n| verdict(n, 10, 20 * MB)));
        let mut model = earlier;
        model.add(&later);
        let found = model.predict(id(7_777_777), 10).unwrap().memory_bytes;
        assert!(near(found, 20 * MB), "{found}");
    }

    #[test]
    fn a_million_datums_are_no_larger_a_record_than_the_heaviest() {
        let mut model = UsageModel::default();
        let mut one = verdict(0, 0, 0);
        for n in 0..30_000_u64 {
            one.datum = id(n);
            one.stats.download_bytes = n * n * n;
            one.usage.as_mut().unwrap().memory_bytes = n * MB;
            model.learn(&one);
        }
        let mut record = UsageModel::default();
        record.add(&model);
        assert_eq!(record.heaviest.len(), REMEMBERED);
        assert_eq!(
            record.heaviest.values().min(),
            Some(&((30_000 - 4096) * MB))
        );
        let json = serde_json::to_string(&record).unwrap();
        assert!(json.len() < 400_000, "{}", json.len());
        assert_eq!(serde_json::from_str::<UsageModel>(&json).unwrap(), record);
    }

    proptest! {
        #[test]
        fn a_prediction_covers_80_of_100_and_no_more_than_the_most(
            memory in proptest::collection::vec(1..1_u64 << 40, 10..200),
        ) {
            let model = learned((0..).zip(&memory).map(|(n, bytes)| verdict(n, 77, *bytes)));
            let found = model.predict(id(u64::MAX), 77).unwrap().memory_bytes;
            let covered = memory.iter().filter(|bytes| **bytes <= found).count();
            prop_assert!(covered * 100 >= memory.len() * 80);
            let most = *memory.iter().max().unwrap();
            prop_assert!(found <= most + most / 8);
        }
    }
}
