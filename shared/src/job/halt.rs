//! When a job ends before its last datum, in the words of GNU parallel's `--halt`.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde_with::{DeserializeFromStr, SerializeDisplay};

/// A condition that ends a job before its last datum, such as `soon,fail=1`.
#[derive(Clone, Copy, Debug, DeserializeFromStr, Eq, PartialEq, SerializeDisplay)]
pub struct Halt {
    /// The fate of running datums.
    pub when: HaltMoment,
    /// The outcome that counts.
    pub outcome: HaltOutcome,
    /// The number of datums with the outcome.
    pub many: HaltCount,
}

/// The fate of running datums once a job is halted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HaltMoment {
    /// The commands are ended.
    Now,
    /// The commands go on to the end, and no further datum begins.
    Soon,
}

/// The outcome of the datums that are counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HaltOutcome {
    /// Failed, after all attempts.
    Failed,
    /// Succeeded.
    Succeeded,
    /// Ended in any way.
    Done,
}

/// A number of datums.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HaltCount {
    /// So many.
    Datums(NonZeroU64),
    /// A share of the datums that the job has to run, from 1 to 100.
    Percent(u8),
}

/// A malformed condition.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "write `never`, or `now` or `soon` and what must happen, for example `soon,fail=1`, `now,success=3` or `soon,done=10%`; \
     a number is at least 1, a share from 1% to 100%"
)]
pub struct InvalidHalt;

impl Halt {
    /// The first failure ends the job at once.
    pub const FIRST_FAILURE: Self = Self {
        when: HaltMoment::Now,
        outcome: HaltOutcome::Failed,
        many: HaltCount::Datums(NonZeroU64::MIN),
    };

    const OUTCOMES: [(&str, HaltOutcome); 3] = [
        ("fail", HaltOutcome::Failed),
        ("success", HaltOutcome::Succeeded),
        ("done", HaltOutcome::Done),
    ];

    /// Reads a condition as GNU parallel does, short forms too. None for `never` and `0`.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidHalt> {
        match text {
            "never" | "0" => Ok(None),
            "1" => "soon,fail=1".parse().map(Some),
            "2" => "now,fail=1".parse().map(Some),
            "-1" => "soon,success=1".parse().map(Some),
            "-2" => "now,success=1".parse().map(Some),
            share if share.ends_with('%') && !share.contains('=') => {
                format!("soon,fail={share}").parse().map(Some)
            }
            long => long.parse().map(Some),
        }
    }
}

impl HaltCount {
    /// True if `counted` of the `all` datums to run are so many. A share is not reached before `all` are known.
    pub fn is_reached(self, counted: u64, all: Option<u64>) -> bool {
        match (self, all) {
            (Self::Datums(least), _) => counted >= least.get(),
            (Self::Percent(_), None) => false,
            (Self::Percent(share), Some(all)) => {
                let (counted, all) = (u128::from(counted), u128::from(all));
                counted > 0 && counted * 100 >= all * u128::from(share)
            }
        }
    }
}

impl FromStr for Halt {
    type Err = InvalidHalt;

    fn from_str(text: &str) -> Result<Self, InvalidHalt> {
        let (when, condition) = text.split_once(',').ok_or(InvalidHalt)?;
        let (outcome, many) = condition.split_once('=').ok_or(InvalidHalt)?;
        let when = match when {
            "now" => HaltMoment::Now,
            "soon" => HaltMoment::Soon,
            _ => return Err(InvalidHalt),
        };
        let known = Self::OUTCOMES.iter().find(|(name, _)| *name == outcome);
        let (_, outcome) = known.ok_or(InvalidHalt)?;
        let digits = many.strip_suffix('%').unwrap_or(many);
        // A sign is no digit.
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidHalt);
        }
        let number: NonZeroU64 = digits.parse().map_err(|_| InvalidHalt)?;
        let many = match u8::try_from(number.get()) {
            _ if digits.len() == many.len() => HaltCount::Datums(number),
            Ok(share) if share <= 100 => HaltCount::Percent(share),
            _ => return Err(InvalidHalt),
        };
        Ok(Self {
            when,
            outcome: *outcome,
            many,
        })
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = match self.when {
            HaltMoment::Now => "now",
            HaltMoment::Soon => "soon",
        };
        let known = Self::OUTCOMES.iter().find(|(_, it)| *it == self.outcome);
        let outcome = known.map_or("", |(name, _)| *name);
        match self.many {
            HaltCount::Datums(number) => write!(out, "{when},{outcome}={number}"),
            HaltCount::Percent(share) => write!(out, "{when},{outcome}={share}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_gnu_parallel_is_taken_or_refused() {
        #[rustfmt::skip]
        let rows = [
            ("never",            Some("never")),
            ("0",                Some("never")),
            ("1",                Some("soon,fail=1")),
            ("2",                Some("now,fail=1")),
            ("-1",               Some("soon,success=1")),
            ("-2",               Some("now,success=1")),
            ("5%",               Some("soon,fail=5%")),
            ("now,fail=1",       Some("now,fail=1")),
            ("soon,fail=3%",     Some("soon,fail=3%")),
            ("now,success=3",    Some("now,success=3")),
            ("soon,success=30%", Some("soon,success=30%")),
            ("now,done=100%",    Some("now,done=100%")),
            ("soon,done=007",    Some("soon,done=7")),
            ("",                 None),
            ("3",                None),
            ("now",              None),
            ("later,fail=1",     None),
            ("now,fails=1",      None),
            ("now,fail=0",       None),
            ("now,fail=-1",      None),
            ("now,fail=+1",      None),
            ("now,fail=1.5%",    None),
            ("now,fail=0%",      None),
            ("now,fail=101%",    None),
            ("now,fail=356%",    None),
            ("now,fail=",        None),
            ("now,fail=%",       None),
            ("0%",               None),
            ("now, fail=1",      None),
            ("never,fail=1",     None),
        ];
        for (text, expected) in rows {
            let read = Halt::parse(text).ok();
            let shown = read.map(|halt| halt.map_or("never".to_owned(), |halt| halt.to_string()));
            assert_eq!(shown.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_share_counts_once_all_datums_are_known() {
        let reached = |many: &str, counted, all| {
            let halt: Halt = format!("now,fail={many}").parse().unwrap();
            halt.many.is_reached(counted, all)
        };
        assert!(reached("3", 3, None) && !reached("3", 2, Some(2)));
        assert!(!reached("10%", 5, None));
        assert!(reached("10%", 1, Some(10)) && !reached("10%", 1, Some(11)));
        assert!(!reached("1%", 0, Some(0)), "no datum has to run");
    }
}
