//! Ticks of a clock: empty files, named by their scheduled time.

use bytes::Bytes;
use drover_shared::pipeline::{CronInput, Pipeline, Schedule};
use drover_shared::store::{Store, StoreError, StoreKey};
use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};

/// Missed ticks written in one step, at most; the next step continues.
const AT_ONCE: usize = 1000;

/// How far a tick may lie in the future and still count as made: the clocks of two machines differ, and a clock may be set
/// back a little. A tick further ahead comes from a wrong clock, and the schedule must not wait for such a tick.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// The consequence of a look at a clock.
#[derive(Debug, PartialEq)]
struct ClockStep {
    /// Due and missed ticks, oldest first.
    due: Vec<Timestamp>,
    /// The tick after the due ticks; in the past if more ticks were missed than a step writes.
    next: Option<Timestamp>,
}

/// Writes due and missed ticks, and returns the time of the next tick, if any. Several processes may run this at the
/// same time.
pub(super) async fn tick(
    clock: &CronInput,
    created: Timestamp,
    now: Timestamp,
    store: &Store,
) -> Result<Option<Timestamp>, StoreError> {
    let repo = StoreKey::root().join(&clock.ticks.repo)?;
    let names = store.names(&repo).await?;
    let ClockStep { due, next } = step(clock, &made(&names), created, now);
    for tick in &due {
        let key = repo.join(&tick.to_string())?;
        store.put(&key, Bytes::new()).await?;
    }
    if clock.overwrite && !due.is_empty() {
        let is_old = |name: &&String| {
            let tick = name.parse::<Timestamp>();
            tick.is_ok_and(|tick| !due.contains(&tick))
        };
        let old = names.iter().filter(is_old);
        let old: Result<Vec<StoreKey>, StoreError> = old.map(|name| repo.join(name)).collect();
        store.delete_each(old?).await?;
    }
    Ok(next)
}

/// The next tick of a pipeline's clocks, if any; in the past if a due tick is not written yet.
pub async fn next_tick(
    pipeline: &Pipeline,
    created: Timestamp,
    store: &Store,
) -> Result<Option<Timestamp>, StoreError> {
    let mut first = None;
    for clock in pipeline.input.clocks() {
        let repo = StoreKey::root().join(&clock.ticks.repo)?;
        let made = made(&store.names(&repo).await?);
        let last = last_tick(clock, &made, created, Timestamp::now());
        let next = clock.schedule.next(last);
        first = first.into_iter().chain(next).min();
    }
    Ok(first)
}

/// The ticks among the names of files.
fn made(names: &[String]) -> Vec<Timestamp> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

/// Pure: the due ticks, given the ticks so far.
fn step(clock: &CronInput, made: &[Timestamp], created: Timestamp, now: Timestamp) -> ClockStep {
    let last = last_tick(clock, made, created, now);
    let (due, next) = if clock.overwrite {
        due_alone(&clock.schedule, last, now)
    } else {
        due(&clock.schedule, last, now)
    };
    ClockStep { due, next }
}

/// The tick, or the start of the schedule, after which the next tick is searched.
fn last_tick(
    clock: &CronInput,
    made: &[Timestamp],
    created: Timestamp,
    now: Timestamp,
) -> Timestamp {
    let newest = newest(&clock.schedule, made, now);
    match (newest, clock.start) {
        (Some(newest), Some(start)) => newest.max(start),
        (Some(newest), None) => newest,
        (None, start) => start.unwrap_or_else(|| whole_second(created)),
    }
}

/// The newest tick, without ticks too far in the future.
fn newest(schedule: &Schedule, made: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
    let is_coming = |tick: Timestamp| {
        tick.duration_since(now) <= SKEW && schedule.next(now).is_none_or(|next| tick <= next)
    };
    let past = made.iter().copied().filter(|tick| *tick <= now).max();
    let ahead = made.iter().copied().filter(|tick| *tick > now);
    ahead.filter(|tick| is_coming(*tick)).max().or(past)
}

/// Pure: the due ticks after the last tick, and the next tick.
fn due(
    schedule: &Schedule,
    mut last: Timestamp,
    now: Timestamp,
) -> (Vec<Timestamp>, Option<Timestamp>) {
    let mut due = Vec::new();
    loop {
        match schedule.next(last) {
            Some(next) if next <= now && due.len() < AT_ONCE => {
                due.push(next);
                last = next;
            }
            next => return (due, next),
        }
    }
}

/// Pure: the newest tick that is due, and the tick after it, however many ticks were missed.
fn due_alone(
    schedule: &Schedule,
    last: Timestamp,
    now: Timestamp,
) -> (Vec<Timestamp>, Option<Timestamp>) {
    let due = schedule.last(last, now);
    let next = schedule.next(due.unwrap_or(last));
    (due.into_iter().collect(), next)
}

fn whole_second(time: Timestamp) -> Timestamp {
    let down = TimestampRound::new()
        .smallest(Unit::Second)
        .mode(RoundMode::Floor);
    time.round(down).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use drover_shared::pipeline;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-01-01T{text}Z").parse().unwrap()
    }

    fn pipeline(cron: &str) -> Pipeline {
        let text = format!(
            "{{pipeline: {{name: p}}, transform: {{cmd: [x]}}, input: {{cron: {{name: tick, {cron}}}}}}}"
        );
        pipeline::parse("test.yaml", &text)
            .unwrap()
            .remove(0)
            .pipeline
    }

    #[tokio::test]
    async fn the_next_tick_follows_from_the_newest_and_not_from_when_it_is_asked_for() {
        let (store, pipeline) = (Store::in_memory(), pipeline("spec: '@every 20s'"));
        let next = async || {
            next_tick(&pipeline, at("00:00:00.5"), &store)
                .await
                .unwrap()
        };
        assert_eq!(next().await, Some(at("00:00:20")));
        let clock = pipeline.input.clocks()[0];
        let kept = tick(clock, at("00:00:00.5"), at("00:00:45"), &store).await;
        assert_eq!(next().await, kept.unwrap());
    }

    /// The ticks there are after the clock was looked at at these times, and when the next one is.
    async fn ticks(cron: &str, times: &[&str]) -> (Vec<String>, Option<Timestamp>) {
        let (store, pipeline) = (Store::in_memory(), pipeline(cron));
        let clock = pipeline.input.clocks()[0].clone();
        let mut next = None;
        for time in times {
            next = tick(&clock, at("00:00:00.5"), at(time), &store)
                .await
                .unwrap();
        }
        let repo = StoreKey::root().join("p_tick").unwrap();
        let names = store.names(&repo).await.unwrap();
        let times = names.iter().map(|name| name[11..19].to_owned());
        (times.collect(), next)
    }

    #[tokio::test]
    async fn a_clock_ticks_at_its_times_and_makes_up_for_what_it_missed() {
        let (none, next) = ticks("spec: '@every 20s'", &["00:00:10"]).await;
        assert_eq!((none, next), (vec![], Some(at("00:00:20"))));
        let (three, next) = ticks("spec: '@every 20s'", &["00:00:20", "00:01:05"]).await;
        assert_eq!(three, ["00:00:20", "00:00:40", "00:01:00"]);
        assert_eq!(next, Some(at("00:01:20")));
    }

    #[tokio::test]
    async fn with_overwrite_there_is_one_tick() {
        let cron = "spec: '@every 20s', overwrite: true";
        let (ticks, _) = ticks(cron, &["00:00:20", "00:00:45", "00:01:45"]).await;
        assert_eq!(ticks, ["00:01:40"]);
    }

    #[tokio::test]
    async fn a_clock_begins_at_its_start() {
        let cron = "spec: '@hourly', start: '2026-01-01T02:00:00Z'";
        let (ticks, next) = ticks(cron, &["01:30:00", "03:10:00"]).await;
        assert_eq!(
            (ticks, next),
            (vec!["03:00:00".to_owned()], Some(at("04:00:00")))
        );
    }

    #[tokio::test]
    async fn with_overwrite_a_start_long_ago_is_one_tick_at_once() {
        let cron = "spec: '@every 1s', overwrite: true, start: '1970-01-01T00:00:00Z'";
        let (ticks, next) = ticks(cron, &["02:00:00.5"]).await;
        assert_eq!(ticks, ["02:00:00"]);
        assert_eq!(next, Some(at("02:00:01")));
    }

    #[tokio::test]
    async fn a_start_after_the_newest_tick_counts() {
        let (store, before) = (Store::in_memory(), pipeline("spec: '@hourly'"));
        let created = at("00:00:00.5");
        tick(before.input.clocks()[0], created, at("01:00:00"), &store)
            .await
            .unwrap();
        let after = pipeline("spec: '@hourly', start: '2026-01-01T05:00:00Z'");
        let next = tick(after.input.clocks()[0], created, at("02:30:00"), &store).await;
        assert_eq!(next.unwrap(), Some(at("06:00:00")));
    }

    #[tokio::test]
    async fn a_tick_of_the_future_stops_no_clock() {
        for overwrite in [false, true] {
            let cron = format!("spec: '@hourly', overwrite: {overwrite}");
            let (store, pipeline) = (Store::in_memory(), pipeline(&cron));
            let repo = StoreKey::root().join("p_tick").unwrap();
            let wrong = repo.join("2030-01-01T00:00:00Z").unwrap();
            store.put(&wrong, Bytes::new()).await.unwrap();
            let clock = pipeline.input.clocks()[0];
            let next = tick(clock, at("00:00:00.5"), at("01:10:00"), &store).await;
            assert_eq!(next.unwrap(), Some(at("02:00:00")));
            let names = store.names(&repo).await.unwrap();
            assert!(
                names.contains(&"2026-01-01T01:00:00Z".to_owned()),
                "{names:?}"
            );
            assert_eq!(names.len(), if overwrite { 1 } else { 2 }, "{names:?}");
        }
    }

    #[tokio::test]
    async fn never_is_never() {
        assert_eq!(ticks("spec: '@never'", &["12:00:00"]).await, (vec![], None));
    }
    fn step_at(cron: &str, made: &[&str], now: &str) -> (Vec<String>, Option<String>) {
        let pipeline = pipeline(cron);
        let clock = pipeline.input.clocks()[0];
        let made: Vec<Timestamp> = made.iter().map(|tick| tick.parse().unwrap()).collect();
        let created = "2026-01-01T00:00:00Z".parse().unwrap();
        let ClockStep { due, next } = step(clock, &made, created, now.parse().unwrap());
        let due = due.iter().map(Timestamp::to_string).collect();
        (due, next.map(|next| next.to_string()))
    }

    /// A clock, the ticks that were made, the present, the due ticks, and the next tick.
    type StepRow = (
        &'static str,
        &'static [&'static str],
        &'static str,
        &'static [&'static str],
        &'static str,
    );

    #[test]
    fn whatever_time_jumps_and_earlier_ticks_are_the_next_tick_is_right() {
        let hourly = "spec: '@hourly'";
        let alone = "spec: '@hourly', overwrite: true";
        let rows: [StepRow; 9] = [
            // The clock of another machine is a little ahead, or the own one was set back.
            (
                hourly,
                &["2026-01-01T12:00:00Z"],
                "2026-01-01T11:59:58Z",
                &[],
                "2026-01-01T13:00:00Z",
            ),
            (
                alone,
                &["2026-01-01T12:00:00Z"],
                "2026-01-01T11:59:58Z",
                &[],
                "2026-01-01T13:00:00Z",
            ),
            // The clock was an hour ahead.
            (
                alone,
                &["2026-01-01T13:00:00Z"],
                "2026-01-01T12:00:30Z",
                &["2026-01-01T12:00:00Z"],
                "2026-01-01T13:00:00Z",
            ),
            // The clock was years ahead.
            (
                hourly,
                &["2026-01-01T11:00:00Z", "2030-01-01T00:00:00Z"],
                "2026-01-01T12:00:30Z",
                &["2026-01-01T12:00:00Z"],
                "2026-01-01T13:00:00Z",
            ),
            // The machine slept for some hours.
            (
                alone,
                &["2026-01-01T09:00:00Z"],
                "2026-01-01T12:00:30Z",
                &["2026-01-01T12:00:00Z"],
                "2026-01-01T13:00:00Z",
            ),
            (
                hourly,
                &["2026-01-01T10:00:00Z"],
                "2026-01-01T12:00:30Z",
                &["2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z"],
                "2026-01-01T13:00:00Z",
            ),
            // A tick made by hand, between two of the schedule.
            (
                hourly,
                &["2026-01-01T11:17:03Z"],
                "2026-01-01T12:00:30Z",
                &["2026-01-01T12:00:00Z"],
                "2026-01-01T13:00:00Z",
            ),
            // A start before all calendars.
            (
                "spec: '@every 1h', overwrite: true, start: '0001-01-01T00:00:00Z'",
                &[],
                "2026-01-01T12:00:30Z",
                &["2026-01-01T12:00:00Z"],
                "2026-01-01T13:00:00Z",
            ),
            // A start in the future.
            (
                "spec: '@hourly', start: '2026-03-01T00:30:00Z'",
                &["2026-01-01T11:00:00Z"],
                "2026-01-01T12:00:30Z",
                &[],
                "2026-03-01T01:00:00Z",
            ),
        ];
        for (cron, made, now, due, next) in rows {
            let due = due.iter().map(ToString::to_string).collect();
            let expected = (due, Some(next.to_owned()));
            assert_eq!(
                step_at(cron, made, now),
                expected,
                "{cron} with {made:?} at {now}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_step_leaves_nothing_due_and_its_next_tick_is_in_the_future(
            schedule in prop_oneof![
                (1u32..5000).prop_map(|seconds| format!("@every {seconds}s")),
                (0u32..60, 0u32..24).prop_map(|(minute, hour)| format!("{minute} {hour} * * *")),
                (1u32..31).prop_map(|minutes| format!("*/{minutes} * * * *")),
            ],
            overwrite in any::<bool>(),
            start in proptest::option::of(-200_000i64..200_000),
            made in proptest::collection::vec(-200_000i64..200_000, 0..4),
            now in 0i64..200_000,
        ) {
            let time = |seconds: i64| Timestamp::from_second(1_774_700_000 + seconds).unwrap();
            let start = start.map_or(String::new(), |start| format!(", start: '{}'", time(start)));
            let pipeline = pipeline(&format!("spec: '{schedule}', overwrite: {overwrite}{start}"));
            let clock = pipeline.input.clocks()[0];
            let mut made: Vec<Timestamp> = made.into_iter().map(time).collect();
            let now = time(now);
            let mut steps = 0;
            loop {
                let ClockStep { due, next } = step(clock, &made, time(0), now);
                prop_assert!(due.iter().all(|tick| *tick <= now && !made.contains(tick)));
                prop_assert!(due.is_sorted());
                if overwrite && !due.is_empty() {
                    prop_assert_eq!(due.len(), 1);
                    made.clear();
                }
                made.extend(&due);
                if due.len() < AT_ONCE {
                    prop_assert!(next.is_some_and(|next| next > now));
                    let again = step(clock, &made, time(0), now);
                    prop_assert_eq!(again, ClockStep { due: Vec::new(), next });
                    break;
                }
                steps += 1;
                prop_assert!(steps < 1000);
            }
        }
    }
}
