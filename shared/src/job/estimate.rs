//! Pure: the need of a whole job, estimated from the first datums.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The whole of which a job of `--first` runs some datums, and the need of the whole.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct FirstDatums {
    /// All datums to be done, the datums of the job included.
    pub of: WholeJob,
    /// The need of all datums; absent before the job has ended, and if no datum did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
}

/// The size of a job.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct WholeJob {
    /// The number of datums.
    pub datums: u64,
    /// Bytes of all inputs.
    pub bytes: u64,
}

/// The expected need of a whole job.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Estimate {
    /// Datums that the estimate rests on.
    pub measured: u64,
    /// Datums that run at the same time; absent for a job on the broker, whose workers come and go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Seconds of all slots together: downloads, commands and uploads.
    pub slot_time_s: Range,
    /// Bytes of the outputs.
    pub output_bytes: Range,
    /// Datums that fail.
    pub failed: Range,
    /// The most memory of a measured datum, in bytes; absent if no memory was measured. About one of `measured + 1` datums needs
    /// more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_max_bytes: Option<u64>,
}

/// A value and the bounds between which the truth lies in about 95 of 100 cases.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Range {
    /// The expected value.
    pub expected: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// A datum that was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct MeasuredDatum {
    /// Bytes of the inputs.
    pub input_bytes: u64,
    /// Seconds in the slot, with the transfers.
    pub slot_time_s: f64,
    /// Bytes of the outputs.
    pub output_bytes: u64,
    /// The most memory of the command, in bytes.
    pub memory_bytes: Option<u64>,
    /// True if the datum failed.
    pub has_failed: bool,
}

impl Estimate {
    /// The need of the `whole`, which contains the measured datums; none without a measured datum. Time and output are taken to
    /// grow with the input in a straight line.
    pub fn new(measured: &[MeasuredDatum], whole: WholeJob, slots: Option<u32>) -> Option<Self> {
        if measured.is_empty() {
            return None;
        }
        let rest = Rest::of(measured, whole);
        let failed = measured.iter().filter(|datum| datum.has_failed).count();
        Some(Self {
            measured: count(measured.len()),
            slots,
            slot_time_s: rest.total(measured, |datum| datum.slot_time_s),
            output_bytes: rest.total(measured, |datum| float(datum.output_bytes)),
            failed: failures(count(failed), count(measured.len()), rest.datums),
            memory_max_bytes: measured.iter().filter_map(|datum| datum.memory_bytes).max(),
        })
    }
}

/// The datums of the whole job that were not measured.
#[derive(Clone, Copy, Debug)]
struct Rest {
    datums: f64,
    bytes: f64,
}

impl Rest {
    fn of(measured: &[MeasuredDatum], whole: WholeJob) -> Self {
        let bytes: u64 = measured.iter().map(|datum| datum.input_bytes).sum();
        Self {
            datums: float(whole.datums.saturating_sub(count(measured.len()))),
            bytes: float(whole.bytes.saturating_sub(bytes)),
        }
    }

    /// The sum of a quantity over the measured datums and the rest: linear regression over the input bytes, with the interval of
    /// its prediction.
    fn total(self, measured: &[MeasuredDatum], of: impl Fn(&MeasuredDatum) -> f64) -> Range {
        let number = float(count(measured.len()));
        let known: f64 = measured.iter().map(&of).sum();
        if self.datums < 1.0 {
            return Range::exact(known);
        }
        let mean_size = measured.iter().map(|it| float(it.input_bytes)).sum::<f64>() / number;
        let mean = known / number;
        let offset = |datum: &MeasuredDatum| float(datum.input_bytes) - mean_size;
        let spread: f64 = measured.iter().map(|it| offset(it).powi(2)).sum();
        let slope = match spread {
            0.0 => 0.0,
            spread => {
                measured
                    .iter()
                    .map(|it| offset(it) * (of(it) - mean))
                    .sum::<f64>()
                    / spread
            }
        };
        let error = |datum: &MeasuredDatum| of(datum) - mean - slope * offset(datum);
        let errors: f64 = measured.iter().map(|it| error(it).powi(2)).sum();
        let freedom = number - if spread > 0.0 { 2.0 } else { 1.0 };
        let rest_offset = self.bytes / self.datums - mean_size;
        let rest = self.datums * (mean + slope * rest_offset);
        let lever = match spread {
            0.0 => 0.0,
            spread => rest_offset.powi(2) / spread,
        };
        let variance = errors / freedom.max(1.0);
        let variance = variance * (self.datums + self.datums.powi(2) * (number.recip() + lever));
        let margin = quantile(freedom) * variance.sqrt();
        Range {
            expected: known + rest.max(0.0),
            low: known + (rest - margin).max(0.0),
            high: known + (rest + margin).max(0.0),
        }
    }
}

/// The failures among the measured datums and `rest` others, by Wilson's interval.
fn failures(failed: u64, measured: u64, rest: f64) -> Range {
    let (failed, measured) = (float(failed), float(measured));
    if rest < 1.0 {
        return Range::exact(failed);
    }
    let share = failed / measured;
    let z = quantile(f64::INFINITY);
    let scale = 1.0 + z * z / measured;
    let middle = (share + z * z / (2.0 * measured)) / scale;
    let spread = share * (1.0 - share) / measured + z * z / (4.0 * measured * measured);
    let half = z * spread.sqrt() / scale;
    Range {
        expected: failed + rest * share,
        low: failed + rest * (middle - half).clamp(0.0, share),
        high: failed + rest * (middle + half).clamp(share, 1.0),
    }
}

impl Range {
    fn exact(value: f64) -> Self {
        Self {
            expected: value,
            low: value,
            high: value,
        }
    }
}

/// The bound of Student's distribution that 95 of 100 values of this many degrees of freedom stay within.
fn quantile(freedom: f64) -> f64 {
    const FEW: [f64; 10] = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23];
    const MANY: f64 = 1.96;
    let row = (1_u32..).zip(FEW);
    let few = row
        .filter(|(row, _)| f64::from(*row) >= freedom)
        .map(|(_, bound)| bound);
    few.clone().next().unwrap_or(MANY + 2.5 / freedom)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate is not as exact")]
fn float(number: u64) -> f64 {
    number as f64
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datum(input_bytes: u64, slot_time_s: f64) -> MeasuredDatum {
        MeasuredDatum {
            input_bytes,
            slot_time_s,
            output_bytes: 2 * input_bytes,
            ..MeasuredDatum::default()
        }
    }

    fn whole(datums: u64, bytes: u64) -> WholeJob {
        WholeJob { datums, bytes }
    }

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= 1e-6 * expected.abs().max(1.0)
    }

    #[test]
    fn what_grows_with_the_input_in_a_straight_line_is_told_exactly() {
        let line = [10, 20, 90, 400].map(|size| datum(size, 1.0 + 0.1 * float(size)));
        let estimate = Estimate::new(&line, whole(100, 5_000), None).unwrap();
        let time = estimate.slot_time_s;
        assert!(
            near(time.expected, 600.0) && near(time.high - time.low, 0.0),
            "{time:?}"
        );
        assert!(
            near(estimate.output_bytes.expected, 10_000.0),
            "{estimate:?}"
        );
    }

    #[test]
    fn equal_inputs_are_told_by_the_mean_and_more_datums_tell_more() {
        let some = [1.0, 2.0, 3.0].map(|time| datum(7, time));
        let few = Estimate::new(&some, whole(300, 2_100), None)
            .unwrap()
            .slot_time_s;
        assert!(near(few.expected, 600.0), "{few:?}");
        let many = some.repeat(10);
        let many = Estimate::new(&many, whole(300, 2_100), None)
            .unwrap()
            .slot_time_s;
        assert!(
            many.high - many.low < (few.high - few.low) / 4.0,
            "{many:?} {few:?}"
        );
    }

    #[test]
    fn nothing_is_uncertain_once_all_datums_have_run() {
        let all = [datum(1, 5.0), datum(9, 1.0)];
        let estimate = Estimate::new(&all, whole(2, 10), None).unwrap();
        assert_eq!(estimate.slot_time_s, Range::exact(6.0));
        assert_eq!(estimate.failed, Range::exact(0.0));
        assert_eq!(Estimate::new(&[], whole(2, 10), None), None);
    }

    #[test]
    fn failures_are_told_by_their_share_and_none_seen_is_no_promise() {
        let mut some = vec![datum(1, 1.0); 20];
        let none = Estimate::new(&some, whole(1_000, 1_000), None)
            .unwrap()
            .failed;
        assert!(none.low == 0.0 && none.expected == 0.0 && (100.0..200.0).contains(&none.high));
        some[3].has_failed = true;
        let one = Estimate::new(&some, whole(1_000, 1_000), None)
            .unwrap()
            .failed;
        assert!(
            near(one.expected, 50.0) && one.low > 1.0 && one.high < 300.0,
            "{one:?}"
        );
    }

    proptest::proptest! {
        #[test]
        fn an_estimate_is_at_least_what_was_measured_and_lies_within_its_bounds(
            sizes in proptest::collection::vec((0..1_000_000_u64, 0.0..1_000.0_f64, proptest::bool::ANY), 1..40),
            more in (0..10_000_u64, 0..1_000_000_u64),
        ) {
            let measured: Vec<_> = sizes.iter().map(|(size, time, has_failed)| MeasuredDatum {
                has_failed: *has_failed,
                ..datum(*size, *time)
            }).collect();
            let bytes: u64 = measured.iter().map(|it| it.input_bytes).sum();
            let datums = u32::try_from(measured.len() as u64 + more.0).unwrap();
            let whole = whole(u64::from(datums), bytes + more.0 * more.1);
            let estimate = Estimate::new(&measured, whole, None).unwrap();
            let known: f64 = measured.iter().map(|it| it.slot_time_s).sum();
            for (range, least) in [(estimate.slot_time_s, known), (estimate.output_bytes, 0.0), (estimate.failed, 0.0)] {
                proptest::prop_assert!(range.low >= least - 1e-6 && range.high.is_finite(), "{:?}", range);
                proptest::prop_assert!(range.low <= range.expected && range.expected <= range.high, "{:?}", range);
            }
            proptest::prop_assert!(estimate.failed.high <= float(whole.datums));
        }
    }
}
