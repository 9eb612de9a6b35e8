//! Pure: which events of a job are due for which receivers, and the state after a look or a try.

use std::time::Duration;

use drover_shared::backoff::Backoff;
use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::{Deliveries, Delivery, Standstill};
use drover_shared::pipeline::{Notification, NotifyEvent};
use jiff::{SignedDuration, Timestamp};

/// The first pause after a failed try, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// How long a delivery is tried.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Added to the time limit of a try, before another process takes the try for lost.
const CLAIM_MARGIN: Duration = Duration::from_secs(30);

/// A delivery that is due.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct DueDelivery {
    pub(super) event: NotifyEvent,
    /// Number of the receiver in the spec.
    pub(super) receiver: usize,
}

/// The result of a try.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum TryOutcome {
    Delivered,
    /// To be tried again.
    Failed(String),
    /// No further try can succeed.
    Hopeless(String),
}

/// The event of a job's end; none for a job that a person stopped.
pub(super) fn final_event(job: &JobRecord, stop_requested: bool) -> Option<NotifyEvent> {
    match job.state {
        JobState::Success => Some(NotifyEvent::Success),
        JobState::Killed if stop_requested => None,
        JobState::Failure | JobState::Killed => Some(NotifyEvent::Failure),
        _ => None,
    }
}

/// The state after a look at an active job with the given obstacle.
pub(super) fn after_look(
    mut state: Deliveries,
    obstacle: Option<String>,
    now: Timestamp,
) -> Deliveries {
    match (obstacle, &state.standstill) {
        (Some(why), None) => {
            state.standstills += 1;
            state.standstill = Some(Standstill { since: now, why });
            let is_of_end = |key: &String| !key.starts_with(NotifyEvent::Standstill.name());
            state.deliveries.retain(|key, _| is_of_end(key));
        }
        (None, Some(_)) => state.standstill = None,
        _ => {}
    }
    state
}

/// How long a pipeline's obstacle may be unseen before it counts as gone: the process that saw it may have ended.
const UNSEEN: SignedDuration = SignedDuration::from_mins(1);

/// True if no process has seen the obstacle of a pipeline for a while.
pub(super) fn is_over(state: &Deliveries, now: Timestamp) -> bool {
    let seen = state.seen.map(|seen| now.duration_since(seen));
    seen.is_none_or(|unseen| unseen > UNSEEN)
}

/// The state after the obstacle of a pipeline was seen.
pub(super) fn after_obstacle(state: Deliveries, why: String, now: Timestamp) -> Deliveries {
    let state = if is_over(&state, now) {
        Deliveries::default()
    } else {
        state
    };
    Deliveries {
        seen: Some(now),
        ..after_look(state, Some(why), now)
    }
}

/// The deliveries that are due now.
pub(super) fn due(
    receivers: &[Notification],
    ending: Option<NotifyEvent>,
    state: &Deliveries,
    now: Timestamp,
) -> Vec<DueDelivery> {
    let is_due = |each: &DueDelivery| {
        let known = state.deliveries.get(&key(each));
        known.is_none_or(|delivery| !delivery.ended && delivery.not_before <= now)
    };
    pending(receivers, ending, state, now)
        .filter(is_due)
        .collect()
}

/// True if nothing is left to be sent about an ended job.
pub(super) fn is_finished(
    receivers: &[Notification],
    ending: Option<NotifyEvent>,
    state: &Deliveries,
) -> bool {
    let mut wanted = wanted(receivers, ending);
    wanted.all(|each| {
        let known = state.deliveries.get(&key(&each));
        known.is_some_and(|delivery| delivery.ended)
    })
}

/// All deliveries that have a reason now, delivered or not.
fn pending(
    receivers: &[Notification],
    ending: Option<NotifyEvent>,
    state: &Deliveries,
    now: Timestamp,
) -> impl Iterator<Item = DueDelivery> {
    let standing = state.standstill.clone().filter(|_| ending.is_none());
    let stands = move |receiver: &Notification| {
        let after = SignedDuration::try_from(receiver.standstill_after);
        let after = after.unwrap_or(SignedDuration::MAX);
        standing
            .as_ref()
            .is_some_and(|standing| now.duration_since(standing.since) >= after)
    };
    let standing = receivers.iter().enumerate().filter_map(move |(at, each)| {
        let event = NotifyEvent::Standstill;
        let is_wanted = each.on.contains(&event) && stands(each);
        is_wanted.then_some(DueDelivery {
            event,
            receiver: at,
        })
    });
    wanted(receivers, ending).chain(standing)
}

/// The deliveries of a job's end.
fn wanted(
    receivers: &[Notification],
    ending: Option<NotifyEvent>,
) -> impl Iterator<Item = DueDelivery> {
    let receivers = receivers.iter().enumerate();
    receivers.filter_map(move |(at, each)| {
        let event = ending.filter(|event| each.on.contains(event))?;
        Some(DueDelivery {
            event,
            receiver: at,
        })
    })
}

/// The state with the given tries under way.
pub(super) fn claimed(
    mut state: Deliveries,
    due: &[DueDelivery],
    receivers: &[Notification],
    now: Timestamp,
) -> Deliveries {
    for each in due {
        let limit = receivers[each.receiver].timeout + CLAIM_MARGIN;
        let delivery = state.deliveries.entry(key(each)).or_insert(Delivery {
            since: now,
            tries: 0,
            not_before: now,
            ended: false,
        });
        delivery.tries += 1;
        delivery.not_before = later(now, limit);
    }
    state
}

/// The state after a try, and true if a failed delivery is given up.
pub(super) fn after_try(
    mut state: Deliveries,
    tried: &DueDelivery,
    outcome: &TryOutcome,
    now: Timestamp,
) -> (Deliveries, bool) {
    // A standstill that is over, or a job without a note, has no delivery any more.
    let Some(delivery) = state.deliveries.get_mut(&key(tried)) else {
        return (state, false);
    };
    let gives_up = match outcome {
        TryOutcome::Delivered => false,
        TryOutcome::Hopeless(_) => true,
        TryOutcome::Failed(_) => now.duration_since(delivery.since) >= GIVE_UP_AFTER,
    };
    delivery.ended = gives_up || *outcome == TryOutcome::Delivered;
    delivery.not_before = later(now, pause(delivery.tries));
    (state, gives_up)
}

/// The pause after the given number of tries.
fn pause(tries: u32) -> Duration {
    let nth = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX);
    // A dozen doublings reach the longest pause.
    let mut pauses = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
    pauses.nth(nth.min(12)).unwrap_or(LONGEST_PAUSE)
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The key of a delivery in the ledger.
pub(super) fn key(delivery: &DueDelivery) -> String {
    format!("{}.{}", delivery.event.name(), delivery.receiver)
}
