//! Limits of the datums of a pipeline that may be under way.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_with::{DeserializeFromStr, SerializeDisplay};

use crate::id::LimitName;

/// A limit over all workers together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Limit {
    /// The largest number of datums that run at the same time.
    Running(NonZeroU32),
    /// The largest number of datums that begin within a period.
    Rate(RateLimit),
    /// A limit of the store, which several pipelines share.
    Named(LimitName),
}

/// A number of datums that may begin within any period of a length.
#[derive(Clone, Copy, Debug, Eq, PartialEq, DeserializeFromStr, SerializeDisplay)]
pub struct RateLimit {
    /// The number of datums, at most [`RateLimit::MOST`].
    pub number: NonZeroU32,
    /// The length of the period.
    pub period: Period,
}

/// The length of the period of a rate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Period {
    /// One second.
    Second,
    /// One minute.
    Minute,
    /// One hour.
    Hour,
    /// One day of 24 hours.
    Day,
}

impl Period {
    const NAMED: [(&str, Self); 4] = [
        ("s", Self::Second),
        ("min", Self::Minute),
        ("h", Self::Hour),
        ("d", Self::Day),
    ];

    /// The length.
    pub fn length(self) -> Duration {
        match self {
            Self::Second => Duration::from_secs(1),
            Self::Minute => Duration::from_mins(1),
            Self::Hour => Duration::from_hours(1),
            Self::Day => Duration::from_hours(24),
        }
    }
}

impl RateLimit {
    /// The largest number: the leader remembers the begin of so many datums.
    pub const MOST: u32 = 1_000_000;
}

/// A malformed rate.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "write a number from 1 to 1000000 and a period, `s`, `min`, `h` or `d`, for example `100/min`"
)]
pub struct InvalidRate;

impl FromStr for RateLimit {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let (number, period) = text.split_once('/').ok_or(InvalidRate)?;
        let number: NonZeroU32 = number.trim().parse().map_err(|_| InvalidRate)?;
        let period = Period::NAMED
            .iter()
            .find(|(name, _)| *name == period.trim());
        match period {
            Some((_, period)) if number.get() <= Self::MOST => Ok(Self {
                number,
                period: *period,
            }),
            _ => Err(InvalidRate),
        }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Period::NAMED.iter().find(|(_, it)| *it == self.period);
        let name = name.map_or("", |(name, _)| *name);
        write!(out, "{}/{name}", self.number)
    }
}

impl JsonSchema for RateLimit {
    fn schema_name() -> Cow<'static, str> {
        "RateLimit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A number of datums within a period: s, min, h or d.",
            "pattern": r"^ *[0-9]+ */ *(s|min|h|d) *$",
            "examples": ["100/min", "5/s"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_it_is_shown_or_refused() {
        let rows = [
            ("100/min", Some("100/min")),
            ("1 / s", Some("1/s")),
            ("1000000/d", Some("1000000/d")),
            ("5/h", Some("5/h")),
            ("1000001/d", None),
            ("0/s", None),
            ("-1/s", None),
            ("1.5/s", None),
            ("100", None),
            ("100/minute", None),
            ("", None),
        ];
        for (text, shown) in rows {
            let read = text.parse::<RateLimit>().ok();
            let read = read.map(|rate| rate.to_string());
            assert_eq!(read.as_deref(), shown, "{text}");
        }
    }
}
