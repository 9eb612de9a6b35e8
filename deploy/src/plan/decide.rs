//! The decision.

use std::num::NonZeroU32;
use std::time::Duration;

use drover_shared::pipeline::{Parallelism, Pipeline, SetRule};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// How a pipeline wants to be scaled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// How many workers at most; without autoscaling, how many.
    pub parallelism: Parallelism,
    /// No workers after there was nothing to do for so long; none: they stay.
    pub standby_after: Option<Duration>,
    /// Whether the number follows the outstanding datums.
    pub autoscaling: bool,
    /// Datums that travel in one message, so that one worker takes them together; at least 1.
    pub together: u64,
}

impl Scale {
    /// How a pipeline wants to be scaled.
    pub fn of(pipeline: &Pipeline) -> Self {
        Self {
            parallelism: pipeline.parallelism,
            standby_after: pipeline.standby_after,
            autoscaling: pipeline.autoscaling,
            together: match pipeline.datum_set {
                SetRule::Number(number) => u64::from(number.get()),
                SetRule::Single | SetRule::SizeBytes(_) | SetRule::PerWorker(_) => 1,
            },
        }
    }
}

/// What is seen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Observed {
    /// Nodes that workers can be placed on now; none if nobody may look.
    pub nodes: Option<u32>,
    /// Jobs that have not ended.
    pub unfinished_jobs: u64,
    /// Datums of theirs that are still to be done, of those known.
    pub outstanding: u64,
    /// Workers that are wanted now; none if that was never said.
    pub wanted: Option<u32>,
    /// Workers that are known to be at a datum.
    pub busy: u32,
    /// Since when there has been nothing to do, as far as that was seen before.
    pub idle_since: Option<Timestamp>,
}

/// Whether there is anything to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Idle {
    /// There is.
    Busy,
    /// There has been nothing since then.
    Since(Timestamp),
}

/// What to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Plan {
    /// Workers that should be wanted.
    pub replicas: u32,
    /// Whether there is anything to do.
    pub idle: Idle,
    /// After how long the plan may change though nothing happens.
    pub again_in: Option<Duration>,
}

/// How many workers there should be at `now`.
///
/// Never none while a job is unfinished, never more than the limit, and never less than are known to be busy when it
/// is only the outstanding datums that have become few.
pub fn plan(scale: &Scale, observed: &Observed, now: Timestamp) -> Plan {
    let Some(limit) = limit(scale.parallelism, observed.nodes) else {
        return hold(scale, observed, now);
    };
    if observed.unfinished_jobs > 0 {
        return Plan {
            replicas: at_work(scale, observed, limit),
            idle: Idle::Busy,
            again_in: None,
        };
    }
    // A clock that was set back must not keep workers for ever.
    let since = observed.idle_since.map_or(now, |since| since.min(now));
    let (replicas, again_in) = at_rest(scale, observed, limit, now.duration_since(since));
    Plan {
        replicas,
        idle: Idle::Since(since),
        again_in,
    }
}

/// The most workers that a pipeline wants; none if that depends on nodes that can't be seen.
fn limit(parallelism: Parallelism, nodes: Option<u32>) -> Option<u32> {
    match parallelism {
        Parallelism::Constant(number) => Some(number.get()),
        Parallelism::Coefficient(coefficient) => Some(share(coefficient, nodes?)),
    }
}

/// While the nodes can't be seen, as when the operator has just started: what is there stays, but for standby.
fn hold(scale: &Scale, observed: &Observed, now: Timestamp) -> Plan {
    let held = NonZeroU32::new(observed.wanted.unwrap_or(1)).unwrap_or(NonZeroU32::MIN);
    let scale = Scale {
        parallelism: Parallelism::Constant(held),
        autoscaling: false,
        ..*scale
    };
    plan(&scale, observed, now)
}

/// `max(1, floor(coefficient × nodes))`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates, and the product is not negative"
)]
fn share(coefficient: f64, nodes: u32) -> u32 {
    ((coefficient * f64::from(nodes)).floor() as u32).clamp(1, MOST)
}

/// More workers than any cluster has: what a wild coefficient comes to.
const MOST: u32 = 100_000;

/// While there is something to do.
fn at_work(scale: &Scale, observed: &Observed, limit: u32) -> u32 {
    if !scale.autoscaling {
        return limit;
    }
    let useful = observed.outstanding.div_ceil(scale.together.max(1));
    let useful = u32::try_from(useful).unwrap_or(u32::MAX);
    useful.max(observed.busy).clamp(1, limit)
}

/// While there is nothing to do, and has been for `idle`.
fn at_rest(
    scale: &Scale,
    observed: &Observed,
    limit: u32,
    idle: SignedDuration,
) -> (u32, Option<Duration>) {
    let resting = if scale.autoscaling { 1 } else { limit };
    let Some(grace) = scale.standby_after else {
        return (resting, None);
    };
    let idle = Duration::try_from(idle).unwrap_or_default();
    match grace.checked_sub(idle).filter(|left| !left.is_zero()) {
        // Workers that are there stay for the grace; none are started for it.
        Some(left) => (resting.min(observed.wanted.unwrap_or(0)), Some(left)),
        None => (0, None),
    }
}
