//! Counts, sizes, durations and times as text.

use indicatif::{DecimalBytes, HumanCount};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// `1,234,567`.
pub fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

/// `1 datum`, `1,234 datums`.
pub fn counted(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

/// `820 B`, `1.20 MB`: powers of 1000.
pub(crate) fn bytes(number: u64) -> String {
    DecimalBytes(number).to_string()
}

/// `0.4s`, `12.3s`, `3m 05s`, `2h 03m`, `4d 03h`.
pub(crate) fn length(time: SignedDuration) -> String {
    let seconds = time.as_secs().max(0);
    match seconds {
        0..60 => format!("{:.1}s", time.as_secs_f64().max(0.0)),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// [`length`] of a number of seconds.
pub(crate) fn seconds(time_s: f64) -> String {
    length(SignedDuration::try_from_secs_f64(time_s).unwrap_or(SignedDuration::MAX))
}

/// `2026-11-23 18:31:55`, in `zone`.
pub(crate) fn moment(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned_datetime(zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_the_precision_that_their_size_deserves() {
        let rows = [
            (-1.0, "0.0s"),
            (0.42, "0.4s"),
            (59.94, "59.9s"),
            (185.0, "3m 05s"),
            (7385.0, "2h 03m"),
            (356_400.0, "4d 03h"),
            (f64::NAN, "106751991167300d 15h"),
        ];
        for (time_s, text) in rows {
            assert_eq!(seconds(time_s), text);
        }
    }
}
