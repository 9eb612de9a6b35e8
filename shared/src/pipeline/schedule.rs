//! When a clock ticks.

use std::str::FromStr;
use std::time::Duration;

use chrono::DateTime;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;

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
/// The schedule without ticks: a person ticks by hand.
const NEVER: &str = "@never";

/// When a clock ticks: five cron fields in UTC, `@every 90s`, `@daily` and the like, or `@never`.
#[derive(Clone, Debug)]
pub struct Schedule {
    text: String,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    Every(Duration),
    Cron(Box<Cron>),
    Never,
}

impl Schedule {
    /// The first tick after `last`, which is a tick or the start of the schedule; none if no tick follows.
    pub fn next(&self, last: Timestamp) -> Option<Timestamp> {
        match &self.rule {
            Rule::Every(every) => last.checked_add(*every).ok(),
            Rule::Cron(cron) => {
                let last = DateTime::from_timestamp(last.as_second(), 0)?;
                let next = cron.find_next_occurrence(&last, false).ok()?;
                Timestamp::from_second(next.timestamp()).ok()
            }
            Rule::Never => None,
        }
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Schedule {
    /// The advice for a malformed schedule.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self {
            text: text.to_owned(),
            rule: rule(text)?,
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
    if text == NEVER {
        return Ok(Rule::Never);
    }
    if !text.starts_with('@') {
        return cron(text);
    }
    if let Some((_, fields)) = NAMED.iter().find(|(name, _)| *name == text) {
        return cron(fields);
    }
    let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
    Err(format!("one of: @every 90s, {NEVER}, {}", names.join(", ")))
}

fn cron(fields: &str) -> Result<Rule, String> {
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    match parser.parse(fields) {
        Ok(cron) => Ok(Rule::Cron(Box::new(cron))),
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
        assert_eq!(schedule.next(Timestamp::UNIX_EPOCH), None);
    }
}
