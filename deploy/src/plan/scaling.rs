//! The scaling decision.

use std::num::NonZeroU32;
use std::time::Duration;

use drover_shared::pipeline::{Parallelism, Pipeline, SetRule};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// The scaling settings of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScalingRules {
    /// The maximum number of workers; without autoscaling the exact number.
    pub parallelism: Parallelism,
    /// The number of workers set by hand or by an autoscaler, in place of `parallelism`; 0 pauses the pipeline.
    pub replicas: Option<u32>,
    /// Idle time after which the pipeline is scaled to zero; `None` keeps the workers.
    pub standby_after: Option<Duration>,
    /// True if the number of workers follows the outstanding datums.
    pub autoscaling: bool,
    /// Datums per message, which one worker processes together; at least 1.
    pub together: u64,
}

impl ScalingRules {
    /// The scaling settings of a pipeline, with the number of the scale subresource.
    pub fn of(pipeline: &Pipeline, replicas: Option<u32>) -> Self {
        Self {
            parallelism: pipeline.parallelism,
            replicas,
            standby_after: pipeline.standby_after,
            autoscaling: pipeline.autoscaling,
            together: match pipeline.datum_set {
                SetRule::Number(number) => u64::from(number.get()),
                SetRule::Automatic | SetRule::SizeBytes(_) | SetRule::PerWorker(_) => 1,
            },
        }
    }
}

/// The observed state of a pipeline.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ScalingInput {
    /// Nodes on which workers can be scheduled now; `None` if the nodes are unknown.
    pub nodes: Option<u32>,
    /// Jobs that have not finished.
    pub unfinished_jobs: u64,
    /// Known datums of unfinished jobs that have not finished.
    pub outstanding: u64,
    /// Currently desired workers; `None` without a Deployment.
    pub desired: Option<u32>,
    /// Workers that are known to be busy.
    pub busy: u32,
    /// Start of the idle time, if the status holds one.
    pub idle_since: Option<Timestamp>,
}

/// True if any job is unfinished.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IdleState {
    /// Some job is unfinished.
    Busy,
    /// No job has been unfinished since the time.
    Since(Timestamp),
}

/// The decision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScalingPlan {
    /// Desired workers.
    pub replicas: u32,
    /// If and since when the pipeline is idle.
    pub idle: IdleState,
    /// Time after which the plan may change without any event.
    pub again_in: Option<Duration>,
}

/// The plan at `now`.
///
/// The number is at most the limit, at least 1 while a job is unfinished unless the limit is 0, and at least the number of busy workers if
/// only the outstanding datums have become few.
pub fn plan(scale: &ScalingRules, observed: &ScalingInput, now: Timestamp) -> ScalingPlan {
    let Some(limit) = limit(scale, observed.nodes) else {
        return hold(scale, observed, now);
    };
    if observed.unfinished_jobs > 0 {
        return ScalingPlan {
            replicas: at_work(scale, observed, limit),
            idle: IdleState::Busy,
            again_in: None,
        };
    }
    // A clock that was set back must not keep workers forever.
    let since = observed.idle_since.map_or(now, |since| since.min(now));
    let (replicas, again_in) = at_rest(scale, observed, limit, now.duration_since(since));
    ScalingPlan {
        replicas,
        idle: IdleState::Since(since),
        again_in,
    }
}

/// The number of large workers: one for each datum in need, and no more than there are usual workers.
pub fn large_workers(in_need: u64, usual: u32) -> u32 {
    u32::try_from(in_need).unwrap_or(u32::MAX).min(usual)
}

/// The maximum number of workers; `None` if it depends on unknown nodes.
fn limit(scale: &ScalingRules, nodes: Option<u32>) -> Option<u32> {
    if let Some(replicas) = scale.replicas {
        return Some(replicas.min(MOST));
    }
    match scale.parallelism {
        Parallelism::Constant(number) => Some(number.get()),
        Parallelism::Coefficient(coefficient) => Some(share(coefficient, nodes?)),
    }
}

/// The plan while the nodes are unknown, for example directly after the start: the current number stays, except for
/// standby.
fn hold(scale: &ScalingRules, observed: &ScalingInput, now: Timestamp) -> ScalingPlan {
    let held = NonZeroU32::new(observed.desired.unwrap_or(1)).unwrap_or(NonZeroU32::MIN);
    let scale = ScalingRules {
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

/// Upper bound for extreme coefficients, above the size of any cluster.
const MOST: u32 = 100_000;

/// The number of workers while a job is unfinished.
fn at_work(scale: &ScalingRules, observed: &ScalingInput, limit: u32) -> u32 {
    if !scale.autoscaling {
        return limit;
    }
    let useful = observed.outstanding.div_ceil(scale.together.max(1));
    let useful = u32::try_from(useful).unwrap_or(u32::MAX);
    useful.max(observed.busy).max(1).min(limit)
}

/// The number of workers after `idle` without an unfinished job.
fn at_rest(
    scale: &ScalingRules,
    observed: &ScalingInput,
    limit: u32,
    idle: SignedDuration,
) -> (u32, Option<Duration>) {
    let resting = if scale.autoscaling {
        limit.min(1)
    } else {
        limit
    };
    let Some(grace) = scale.standby_after else {
        return (resting, None);
    };
    let idle = Duration::try_from(idle).unwrap_or_default();
    match grace.checked_sub(idle).filter(|left| !left.is_zero()) {
        // Existing workers stay for the grace; none are started for it.
        Some(left) => (resting.min(observed.desired.unwrap_or(0)), Some(left)),
        None => (0, None),
    }
}
