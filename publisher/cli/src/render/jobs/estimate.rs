//! Text about the need of a whole job, by the first datums.

use drover_shared::job::{FirstDatums, Range};
use drover_shared::units::whole_part;

use crate::render::terminal::number::{bytes, count, counted, seconds};

/// Lines about the whole job; none before its first datums have ended.
pub(crate) fn estimate(first: &FirstDatums) -> Vec<String> {
    let Some(estimate) = first.estimate else {
        return Vec::new();
    };
    let whole = first.of;
    let on_slots = estimate.slots.map_or(String::new(), |slots| {
        let length = seconds(estimate.slot_time_s.expected / f64::from(slots.max(1)));
        format!(
            "; about {length} with {} at a time",
            counted(slots.into(), "datum")
        )
    });
    let mut lines = vec![
        String::new(),
        format!(
            "the whole job, {} with {}, by the {} that ran:",
            counted(whole.datums, "datum"),
            bytes(whole.bytes),
            counted(estimate.measured, "datum")
        ),
        format!(
            "  time:    {} of slot time{on_slots}",
            range(estimate.slot_time_s, seconds)
        ),
        format!(
            "  output:  {}",
            range(estimate.output_bytes, |size| bytes(whole_part(size)))
        ),
    ];
    lines.extend(estimate.memory_max_bytes.map(|most| {
        let one_of = count(estimate.measured + 1);
        format!(
            "  memory:  {} at most for a datum so far; about 1 of {one_of} datums needs more",
            bytes(most)
        )
    }));
    lines.push(format!(
        "  failed:  {}",
        range(estimate.failed, |number| count(whole_part(number.round())))
    ));
    lines
}

/// `600 (550 to 700)`, or the value alone if it is certain.
fn range(range: Range, text: impl Fn(f64) -> String) -> String {
    let [expected, low, high] = [range.expected, range.low, range.high].map(text);
    if low == high {
        return expected;
    }
    format!("{expected} ({low} to {high})")
}

#[cfg(test)]
mod tests {
    use drover_shared::job::{Estimate, WholeJob};

    use super::*;

    #[test]
    fn the_need_of_the_whole_is_told_with_its_uncertainty() {
        let about = |expected: f64| Range {
            expected,
            low: expected * 0.9,
            high: expected * 1.5,
        };
        let certain = Range {
            expected: 0.0,
            low: 0.0,
            high: 0.0,
        };
        let first = FirstDatums {
            of: WholeJob {
                datums: 1_000,
                bytes: 1_200_000_000,
            },
            estimate: Some(Estimate {
                measured: 20,
                slots: Some(4),
                slot_time_s: about(7_400.0),
                output_bytes: certain,
                failed: about(50.0),
                memory_max_bytes: Some(900_000_000),
            }),
        };
        let expected = [
            "",
            "the whole job, 1,000 datums with 1.20 GB, by the 20 datums that ran:",
            "  time:    2h 03m (1h 51m to 3h 05m) of slot time; about 30m 50s with 4 datums at a time",
            "  output:  0 B",
            "  memory:  900.00 MB at most for a datum so far; about 1 of 21 datums needs more",
            "  failed:  50 (45 to 75)",
        ];
        assert_eq!(estimate(&first), expected);
    }
}
