//! Quantities in the notation of people.

use std::time::Duration;

use jiff::SignedDuration;

/// The longest accepted time, a century: a sum of a timestamp and a duration must not overflow.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// A length of time: `90s`, `5m`, `1h30m`, `500ms`; at most a century. The error is advice on how to write one.
pub fn duration(text: &str) -> Result<Duration, String> {
    const ADVICE: &str =
        "write a length of time with its unit, for example 25s, 5m, 1h30m or 500ms";
    let parsed: SignedDuration = text.parse().map_err(|_| ADVICE.to_owned())?;
    let length = Duration::try_from(parsed).map_err(|_| ADVICE.to_owned())?;
    if length > LONGEST {
        return Err("that is longer than a century; leave it out, or give less".to_owned());
    }
    Ok(length)
}

/// The sum of sizes in bytes, at most `u64::MAX`: two sparse files may be larger together than a number holds.
pub fn total_bytes(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_needs_a_unit_and_no_sign() {
        for (text, seconds) in [
            ("25s", 25.0),
            ("5m", 300.0),
            ("1h30m", 5400.0),
            ("500ms", 0.5),
            ("0s", 0.0),
        ] {
            assert_eq!(
                duration(text),
                Ok(Duration::from_secs_f64(seconds)),
                "{text}"
            );
        }
        for text in ["", "5", "-5s", "soon", "5x", "2562047788015215h"] {
            assert!(duration(text).is_err(), "{text:?} was accepted");
        }
    }
}
