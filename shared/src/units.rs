//! Quantities in the notation of people.

use std::fmt;
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

/// Bytes with two significant digits, in powers of 1000: `820 B`, `3.9 GB`, `220 MB`.
#[derive(Clone, Copy, Debug)]
pub struct DecimalSize(pub u64);

impl fmt::Display for DecimalSize {
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut amount = self.0 as f64;
        let mut units = ["kB", "MB", "GB", "TB", "PB", "EB"].iter();
        let mut unit = "B";
        // 999.5 would be shown as 1000.
        while amount >= 999.5 {
            amount /= 1000.0;
            unit = units.next().unwrap_or(&"EB");
        }
        let digits = usize::from(unit != "B" && amount < 9.95);
        write!(out, "{amount:.digits$} {unit}")
    }
}

/// A size in bytes: `12G`, `512Mi`, `1.5GB`. The error is advice on how to write one.
pub fn size(text: &str) -> Result<u64, String> {
    const ADVICE: &str = "write a size with its unit, for example 12G, 512M or 1.5Gi";
    let end = text.find(|each: char| !each.is_ascii_digit() && each != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let number: f64 = number.parse().map_err(|_| ADVICE)?;
    let unit = unit.strip_suffix('B').unwrap_or(unit);
    let names = ["K", "M", "G", "T", "P"];
    let power = |named: &str| names.iter().position(|it| it.eq_ignore_ascii_case(named));
    let factor = match (power(unit), unit.strip_suffix('i').and_then(power)) {
        (Some(power), _) => 1000_f64.powi(i32::try_from(power + 1).unwrap_or(0)),
        (None, Some(power)) => 1024_f64.powi(i32::try_from(power + 1).unwrap_or(0)),
        (None, None) => return Err(ADVICE.to_owned()),
    };
    Ok(whole_part((number * factor).round()))
}

/// The whole part of a number: 0 for a negative number and for NaN, `u64::MAX` for a larger number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates"
)]
pub fn whole_part(number: f64) -> u64 {
    number as u64
}

/// The sum of sizes in bytes, at most `u64::MAX`: two sparse files may be larger together than a number holds.
pub fn total_bytes(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown_as_people_write_them() {
        for (text, bytes, shown) in [
            ("12G", 12_000_000_000, "12 GB"),
            ("3.94GB", 3_940_000_000, "3.9 GB"),
            ("512Mi", 536_870_912, "537 MB"),
            ("1.5gi", 1_610_612_736, "1.6 GB"),
            ("999.9k", 999_900, "1.0 MB"),
            ("0.82K", 820, "820 B"),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
            assert_eq!(DecimalSize(bytes).to_string(), shown, "{text}");
        }
        for text in ["", "12", "G", "-5G", "12X", "1.2.3G", "i", "12Gib"] {
            assert!(size(text).is_err(), "{text:?} was accepted");
        }
        assert_eq!(DecimalSize(u64::MAX).to_string(), "18 EB");
    }

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
