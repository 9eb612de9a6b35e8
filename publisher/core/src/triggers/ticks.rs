//! Ticks of a clock: empty files, named by their scheduled time.

use bytes::Bytes;
use drover_shared::pipeline::{CronInput, Pipeline, Schedule};
use drover_shared::store::{Store, StoreError, StoreKey};
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};

/// Missed ticks written in one step, at most; the next step continues.
const AT_ONCE: usize = 1000;

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
    let last = last_tick(clock, newest(&names, now), created);
    let (due, next) = if clock.overwrite {
        due_alone(&clock.schedule, last, now)
    } else {
        due(&clock.schedule, last, now)
    };
    for tick in &due {
        let key = repo.join(&tick.to_string())?;
        store.put(&key, Bytes::new()).await?;
    }
    if clock.overwrite && !due.is_empty() {
        let old = names
            .iter()
            .filter(|name| name.parse::<Timestamp>().is_ok());
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
        let newest = newest(&store.names(&repo).await?, Timestamp::now());
        let next = clock.schedule.next(last_tick(clock, newest, created));
        first = first.into_iter().chain(next).min();
    }
    Ok(first)
}

/// The newest tick among the names. Ticks of the future do not count: they come from a clock that was wrong, and the
/// schedule would wait for them.
fn newest(names: &[String], now: Timestamp) -> Option<Timestamp> {
    let ticks = names.iter().filter_map(|name| name.parse().ok());
    ticks.filter(|tick| *tick <= now).max()
}

/// The tick, or the start of the schedule, after which the next tick is searched.
fn last_tick(clock: &CronInput, newest: Option<Timestamp>, created: Timestamp) -> Timestamp {
    match (newest, clock.start) {
        (Some(newest), Some(start)) => newest.max(start),
        (Some(newest), None) => newest,
        (None, start) => start.unwrap_or_else(|| whole_second(created)),
    }
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
}
