//! Schedules against a model that looks at each minute, across changes of the local time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan as _};
use proptest::prelude::*;

use crate::pipeline::Schedule;
use crate::pipeline::schedule::time_zone;

/// Zones with a change of an hour, of half an hour, at midnight, of a whole day, often, and never.
const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "UTC",
];

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// The field of minutes or of hours.
#[derive(Clone, Debug)]
enum Field {
    Step(i8),
    List(Vec<i8>),
}

impl Field {
    fn any(limit: i8) -> impl Strategy<Value = Self> {
        prop_oneof![
            (1..limit).prop_map(Self::Step),
            proptest::collection::vec(0..limit, 1..4).prop_map(Self::List),
        ]
    }

    fn text(&self) -> String {
        match self {
            Self::Step(step) => format!("*/{step}"),
            Self::List(values) => {
                let values = values.iter().map(ToString::to_string);
                values.collect::<Vec<_>>().join(",")
            }
        }
    }

    fn matches(&self, value: i8) -> bool {
        match self {
            Self::Step(step) => value % step == 0,
            Self::List(values) => values.contains(&value),
        }
    }
}

/// The model: when the clocks of a zone strike.
struct Model<'a> {
    zone: &'a TimeZone,
    minutes: &'a Field,
    hours: &'a Field,
}

impl Model<'_> {
    fn strikes(&self, local: DateTime) -> bool {
        self.minutes.matches(local.minute()) && self.hours.matches(local.hour())
    }

    fn is_interval(&self) -> bool {
        matches!(
            (self.minutes, self.hours),
            (Field::Step(_), _) | (_, Field::Step(_))
        )
    }

    /// True if a whole minute is a tick.
    fn is_tick(&self, time: Timestamp) -> bool {
        let local = self.zone.to_datetime(time);
        if self.is_interval() {
            return self.strikes(local);
        }
        let first = self.zone.to_ambiguous_timestamp(local).earlier();
        let is_first_pass = first.is_ok_and(|first| first == time);
        self.strikes(local) && is_first_pass || self.was_skipped(time, local)
    }

    /// True if a tick lies in the local time that was skipped right before.
    fn was_skipped(&self, time: Timestamp, local: DateTime) -> bool {
        let mut skipped = self.zone.to_datetime(time - MINUTE) + 1.minute();
        while skipped < local {
            if self.strikes(skipped) {
                return true;
            }
            skipped += 1.minute();
        }
        false
    }

    fn ticks(&self, after: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let minutes = std::iter::successors(Some(after + MINUTE), |time| Some(*time + MINUTE));
        let minutes = minutes.take_while(|time| *time <= until);
        minutes.filter(|time| self.is_tick(*time)).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn ticks_are_those_of_the_local_clock_whatever_the_clock_does(
        zone in proptest::sample::select(&ZONES[..]),
        minutes in Field::any(60),
        hours in Field::any(24),
        year in 2005i64..2035,
        before in 0i64..(36 * 60),
    ) {
        let zone = time_zone(zone).unwrap();
        let model = Model { zone: &zone, minutes: &minutes, hours: &hours };
        let text = format!("{} {} * * *", minutes.text(), hours.text());
        let schedule = text.parse::<Schedule>().unwrap().in_zone(zone.clone());
        let begin = Timestamp::from_second((year - 1970) * 31_556_952 / 60 * 60).unwrap();
        let change = zone.following(begin).next().map_or(begin, |change| change.timestamp());
        let since = change - SignedDuration::from_mins(before);
        // The database of some zones ends within a minute.
        let since = since - SignedDuration::from_secs(since.as_second().rem_euclid(60));
        let until = since + SignedDuration::from_hours(40);
        let expected = model.ticks(since, until);
        let found = std::iter::successors(schedule.next(since), |tick| schedule.next(*tick));
        let found: Vec<Timestamp> = found.take_while(|tick| *tick <= until).collect();
        let differs = found.iter().zip(&expected).find(|(one, other)| one != other);
        prop_assert_eq!(differs, None, "{} since {}", text, since);
        prop_assert_eq!(found.len(), expected.len(), "{} since {}", text, since);
        prop_assert_eq!(schedule.last(since, until), expected.last().copied());
        // Each moment has the same next tick, whether it is a tick or not.
        let middle = since + SignedDuration::from_hours(20);
        let next = expected.iter().find(|tick| **tick > middle);
        if let Some(next) = next {
            prop_assert_eq!(schedule.next(middle), Some(*next));
        }
    }
}
