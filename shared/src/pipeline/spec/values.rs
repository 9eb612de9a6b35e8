//! Texts with a grammar of their own: durations and quantities.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_with::{DeserializeFromStr, SerializeDisplay};

use crate::pipeline::definition;

/// A length of time, such as `90s`, `5m` or `1h30m`; shown in the shortest such way.
#[derive(Clone, Copy, Debug, DeserializeFromStr, Eq, PartialEq, SerializeDisplay)]
pub(in crate::pipeline) struct Duration(pub(in crate::pipeline) time::Duration);

/// Units of time in nanoseconds; of two units with a common beginning, the longer one comes first.
const UNITS: [(&str, u128); 8] = [
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
];

/// A malformed duration: the problem and the remedy.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(in crate::pipeline) enum InvalidDuration {
    #[error("write a number and a unit, for example `90s`, `5m` or `1h30m`")]
    Shape,
    #[error("add a unit, for example `{0}s` or `{0}m`")]
    NoUnit(String),
    #[error("a length of time cannot be negative")]
    Negative,
    #[error("that is more than 500 years")]
    TooLong,
}

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        if text.is_empty() {
            return Err(InvalidDuration::Shape);
        }
        if text.starts_with('-') {
            return Err(InvalidDuration::Negative);
        }
        if text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            return Err(InvalidDuration::NoUnit(text.to_owned()));
        }
        let mut nanoseconds: u128 = 0;
        let mut rest = text;
        while !rest.is_empty() {
            let (part, after) = take_part(rest)?;
            nanoseconds = nanoseconds.saturating_add(part);
            rest = after;
        }
        let nanoseconds = u64::try_from(nanoseconds).map_err(|_| InvalidDuration::TooLong)?;
        Ok(Self(time::Duration::from_nanos(nanoseconds)))
    }
}

/// Takes a number with its unit, in nanoseconds.
fn take_part(text: &str) -> Result<(u128, &str), InvalidDuration> {
    let end = text.find(|each: char| !each.is_ascii_digit() && each != '.');
    let (number, rest) = text.split_at(end.ok_or(InvalidDuration::Shape)?);
    let (unit, size) = UNITS
        .iter()
        .find(|(unit, _)| rest.starts_with(unit))
        .ok_or(InvalidDuration::Shape)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return Err(InvalidDuration::Shape);
    }
    let whole: u128 = if whole.is_empty() {
        0
    } else {
        whole.parse().map_err(|_| InvalidDuration::TooLong)?
    };
    let mut nanoseconds = whole.saturating_mul(*size);
    let mut share = *size;
    for digit in fraction.bytes() {
        share /= 10;
        nanoseconds = nanoseconds.saturating_add(share * u128::from(digit - b'0'));
    }
    Ok((nanoseconds, &rest[unit.len()..]))
}

impl fmt::Display for Duration {
    /// Days are written in hours, as in Go.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_nanos();
        if rest == 0 {
            return out.write_str("0s");
        }
        for (unit, size) in [UNITS[5], UNITS[6], UNITS[7], UNITS[0], UNITS[1], UNITS[3]] {
            if rest >= size {
                write!(out, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A length of time: numbers with the units d, h, m, s, ms, us or ns.",
            "pattern": r"^([0-9]+\.?[0-9]*(d|h|m|s|ms|us|µs|ns))+$",
            "examples": ["90s", "1h30m"],
        })
    }
}

/// An amount in Kubernetes' notation, such as `64M`, `1.5Gi` or `500m`; kept as written.
#[derive(Clone, Debug, DeserializeFromStr, PartialEq, SerializeDisplay)]
pub(in crate::pipeline) struct Quantity {
    text: String,
    /// The amount in the base unit, for comparisons.
    pub(in crate::pipeline) amount: f64,
}

/// Suffixes of quantities and their factors.
const SUFFIXES: [(&str, f64); 15] = [
    ("", 1.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
];

/// Why a text is not a quantity.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("write a number, with a suffix if wanted, for example `64M`, `512Mi` or `1.5Gi`")]
pub(in crate::pipeline) struct InvalidQuantity;

impl FromStr for Quantity {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let end = text
            .find(|each: char| !each.is_ascii_digit() && each != '.')
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let number: f64 = number.parse().map_err(|_| InvalidQuantity)?;
        let factor = match SUFFIXES.iter().find(|(name, _)| *name == suffix) {
            Some((_, factor)) => *factor,
            None => exponent(suffix).ok_or(InvalidQuantity)?,
        };
        Ok(Self {
            text: text.to_owned(),
            amount: number * factor,
        })
    }
}

/// `E` alone is a suffix; with digits, `e` and `E` are powers of ten.
fn exponent(suffix: &str) -> Option<f64> {
    let digits = suffix.strip_prefix(['e', 'E'])?;
    if digits.is_empty() {
        return suffix.starts_with('E').then_some(1e18);
    }
    digits
        .parse::<i8>()
        .ok()
        .map(|power| 10f64.powi(power.into()))
}

impl fmt::Display for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An amount as Kubernetes writes it: a number, and a suffix such as M, G, Mi or Gi.",
            "pattern": r"^[0-9]+\.?[0-9]*([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$",
            "examples": ["64M", "512Mi"],
        })
    }
}

/// A number of failed datums, or a share of all datums in per cent.
#[derive(Clone, Copy, Debug, DeserializeFromStr, PartialEq, SerializeDisplay)]
pub(in crate::pipeline) struct FailureLimit(pub(in crate::pipeline) definition::FailureLimit);

/// A malformed failure limit.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "write a number of datums, for example `10`, or a share of at most `100%`, for example `5%`"
)]
pub(in crate::pipeline) struct InvalidFailureLimit;

impl FromStr for FailureLimit {
    type Err = InvalidFailureLimit;

    fn from_str(text: &str) -> Result<Self, InvalidFailureLimit> {
        let Some(percent) = text.strip_suffix('%') else {
            let count = text.parse().map_err(|_| InvalidFailureLimit)?;
            return Ok(Self(definition::FailureLimit::Datums(count)));
        };
        let is_number = percent
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        let percent: f64 = percent
            .trim_end()
            .parse()
            .map_err(|_| InvalidFailureLimit)?;
        if !is_number || percent > 100.0 {
            return Err(InvalidFailureLimit);
        }
        Ok(Self(definition::FailureLimit::Percent(percent)))
    }
}

impl fmt::Display for FailureLimit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            definition::FailureLimit::Datums(count) => write!(out, "{count}"),
            definition::FailureLimit::Percent(percent) => write!(out, "{percent}%"),
        }
    }
}

impl JsonSchema for FailureLimit {
    fn schema_name() -> Cow<'static, str> {
        "FailureLimit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "description": "A number of datums, or a share of all datums in per cent.",
            "pattern": r"^([0-9]+|[0-9]+\.?[0-9]*%)$",
            "minimum": 0,
            "examples": [10, "5%"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let rows = [
            ("90s", Some("1m30s")),
            ("1h30m0s", Some("1h30m")),
            ("1.5h", Some("1h30m")),
            (".5s", Some("500ms")),
            ("1500us", Some("1ms500us")),
            ("2µs", Some("2us")),
            ("0s", Some("0s")),
            ("", None),
            ("s", None),
            ("5", None),
            ("5 m", None),
            ("1.2.3s", None),
            ("-5s", None),
            ("5d", Some("120h")),
            ("1d12h", Some("36h")),
            ("5w", None),
            ("99999999999999999999h", None),
        ];
        for (text, shown) in rows {
            let read = text
                .parse::<Duration>()
                .ok()
                .map(|duration| duration.to_string());
            assert_eq!(read.as_deref(), shown, "{text:?}");
        }
    }

    #[test]
    fn failure_limits_are_numbers_or_shares() {
        let rows = [
            ("0", Some("0")),
            ("10", Some("10")),
            ("5%", Some("5%")),
            ("0.50%", Some("0.5%")),
            ("100%", Some("100%")),
            ("", None),
            ("%", None),
            ("-1", None),
            ("-1%", None),
            ("101%", None),
            ("1e1%", None),
            ("NaN%", None),
            ("0.5", None),
            ("99999999999999999999", None),
        ];
        for (text, shown) in rows {
            let read = text
                .parse::<FailureLimit>()
                .ok()
                .map(|limit| limit.to_string());
            assert_eq!(read.as_deref(), shown, "{text:?}");
        }
    }

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        let rows = [
            ("64M", Some(64e6)),
            ("1.5Gi", Some(1_610_612_736.0)),
            ("500m", Some(0.5)),
            ("1e3", Some(1000.0)),
            ("2E", Some(2e18)),
            ("7", Some(7.0)),
            ("", None),
            ("M", None),
            ("64MB", None),
            ("-1", None),
        ];
        for (text, amount) in rows {
            let read = text
                .parse::<Quantity>()
                .ok()
                .map(|quantity| quantity.amount);
            assert_eq!(read, amount, "{text:?}");
        }
    }
}
