//! Table tests and properties of the plan.

use std::num::NonZeroU32;
use std::time::Duration;

use drover_shared::pipeline::Parallelism;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::desired::Toleration;

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn constant(number: u32) -> Parallelism {
    Parallelism::Constant(NonZeroU32::new(number).unwrap())
}

fn scale(parallelism: Parallelism) -> ScalingRules {
    ScalingRules {
        parallelism,
        replicas: None,
        standby_after: None,
        autoscaling: false,
        together: 1,
    }
}

fn standby(scale: ScalingRules) -> ScalingRules {
    ScalingRules {
        standby_after: Some(Duration::from_secs(60)),
        ..scale
    }
}

fn auto(scale: ScalingRules) -> ScalingRules {
    ScalingRules {
        autoscaling: true,
        ..scale
    }
}

/// An idle pipeline on three nodes.
fn rest() -> ScalingInput {
    ScalingInput {
        nodes: Some(3),
        ..ScalingInput::default()
    }
}

/// A job with so many outstanding datums.
fn work(outstanding: u64) -> ScalingInput {
    ScalingInput {
        unfinished_jobs: 1,
        outstanding,
        ..rest()
    }
}

fn running(observed: ScalingInput, desired: u32) -> ScalingInput {
    ScalingInput {
        desired: Some(desired),
        ..observed
    }
}

fn idle_for(observed: ScalingInput, seconds: i64) -> ScalingInput {
    ScalingInput {
        idle_since: Some(NOW - SignedDuration::from_secs(seconds)),
        ..observed
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn the_number_of_workers_is_what_the_spec_says_of_what_is_seen() {
    let four = scale(constant(4));
    let by_hand = |replicas, scale| ScalingRules {
        replicas: Some(replicas),
        ..scale
    };
    let each = |coefficient| scale(Parallelism::Coefficient(coefficient));
    let busy = |observed, busy| ScalingInput { busy, ..observed };
    let nodes = |nodes| ScalingInput { nodes, ..rest() };
    let rows = [
        ("constant, at rest", four, rest(), 4),
        ("constant, at work", four, work(1), 4),
        ("one worker a node", each(1.0), rest(), 3),
        ("half a worker a node", each(0.5), rest(), 1),
        ("a half is cut off", each(0.5), nodes(Some(5)), 2),
        ("two workers a node", each(2.0), rest(), 6),
        ("no node fits", each(1.0), nodes(Some(0)), 1),
        ("a wild coefficient", each(1e300), rest(), 100_000),
        ("nodes can't be seen", each(1.0), nodes(None), 1),
        (
            "nodes can't be seen any more",
            each(1.0),
            running(nodes(None), 7),
            7,
        ),
        ("standby, new", standby(four), rest(), 0),
        (
            "standby, a job arrives",
            standby(four),
            running(work(0), 0),
            4,
        ),
        (
            "standby, in its grace",
            standby(four),
            idle_for(running(rest(), 4), 59),
            4,
        ),
        (
            "standby, after its grace",
            standby(four),
            idle_for(running(rest(), 4), 60),
            0,
        ),
        (
            "standby, long after",
            standby(four),
            idle_for(running(rest(), 0), 9000),
            0,
        ),
        (
            "standby, limit lowered in its grace",
            standby(scale(constant(2))),
            idle_for(running(rest(), 4), 1),
            2,
        ),
        (
            "standby, woken in its grace",
            standby(four),
            idle_for(running(work(9), 4), 90),
            4,
        ),
        ("autoscaling, at rest", auto(four), running(rest(), 4), 1),
        (
            "autoscaling, nothing known yet",
            auto(four),
            running(work(0), 1),
            1,
        ),
        ("autoscaling, few", auto(four), running(work(3), 1), 3),
        ("autoscaling, many", auto(four), running(work(300), 1), 4),
        ("autoscaling, the tail", auto(four), running(work(2), 4), 2),
        (
            "autoscaling, the tail, all of them busy",
            auto(four),
            busy(running(work(2), 4), 3),
            3,
        ),
        (
            "autoscaling, more busy than allowed",
            auto(four),
            busy(running(work(9), 9), 9),
            4,
        ),
        (
            "autoscaling with standby, new",
            standby(auto(four)),
            rest(),
            0,
        ),
        (
            "autoscaling with standby, a job arrives",
            standby(auto(four)),
            running(work(0), 0),
            1,
        ),
        (
            "autoscaling with standby, in its grace",
            standby(auto(four)),
            idle_for(running(rest(), 3), 5),
            1,
        ),
        ("scaled by hand", by_hand(7, four), rest(), 7),
        (
            "scaled by hand, per node",
            by_hand(7, each(1.0)),
            work(1),
            7,
        ),
        (
            "scaled by hand, nodes can't be seen",
            by_hand(7, each(1.0)),
            nodes(None),
            7,
        ),
        (
            "scaled by hand in standby",
            by_hand(7, standby(four)),
            idle_for(running(rest(), 7), 60),
            0,
        ),
        (
            "scaled by hand, awake",
            by_hand(7, standby(four)),
            running(work(0), 0),
            7,
        ),
        (
            "scaled by hand with autoscaling",
            by_hand(7, auto(four)),
            work(300),
            7,
        ),
        ("paused", by_hand(0, four), work(300), 0),
        (
            "paused with autoscaling",
            by_hand(0, auto(four)),
            busy(running(work(9), 4), 3),
            0,
        ),
        (
            "paused with autoscaling, at rest",
            by_hand(0, auto(four)),
            rest(),
            0,
        ),
        (
            "autoscaling, datums that travel together",
            ScalingRules {
                together: 100,
                ..auto(four)
            },
            work(101),
            2,
        ),
    ];
    for (name, scale, observed, expected) in rows {
        assert_eq!(plan(&scale, &observed, NOW).replicas, expected, "{name}");
    }
}

#[test]
fn a_plan_says_when_it_will_change_by_itself() {
    let four = standby(scale(constant(4)));
    let rows = [
        ("new", rest(), Some(60)),
        ("in its grace", idle_for(running(rest(), 4), 50), Some(10)),
        ("over", idle_for(running(rest(), 4), 60), None),
        ("at work", work(1), None),
        ("idle since tomorrow", idle_for(rest(), -86_400), Some(60)),
    ];
    for (name, observed, expected) in rows {
        let again = plan(&four, &observed, NOW).again_in;
        assert_eq!(again, expected.map(Duration::from_secs), "{name}");
    }
}

fn any_scale() -> impl Strategy<Value = ScalingRules> {
    let parallelism = prop_oneof![
        (1..200u32).prop_map(constant),
        (0.0..20.0f64).prop_map(Parallelism::Coefficient),
    ];
    let grace = proptest::option::of((0..200u64).prop_map(Duration::from_secs));
    let replicas = proptest::option::of(0..200u32);
    (parallelism, replicas, grace, any::<bool>(), 1..50u64).prop_map(
        |(parallelism, replicas, standby_after, autoscaling, together)| ScalingRules {
            parallelism,
            replicas,
            standby_after,
            autoscaling,
            together,
        },
    )
}

fn any_observation() -> impl Strategy<Value = ScalingInput> {
    let since = proptest::option::of(-300..300i64);
    let desired = proptest::option::of(0..300u32);
    let nodes = proptest::option::of(0..50u32);
    (nodes, 0..3u64, 0..500u64, desired, 0..300u32, since).prop_map(
        |(nodes, unfinished_jobs, outstanding, desired, busy, since)| ScalingInput {
            nodes,
            unfinished_jobs,
            outstanding,
            desired,
            busy,
            idle_since: since.map(|seconds| NOW - SignedDuration::from_secs(seconds)),
        },
    )
}

/// The maximum number of workers.
fn most(scale: &ScalingRules, observed: &ScalingInput) -> u32 {
    if let Some(replicas) = scale.replicas {
        return replicas;
    }
    match (scale.parallelism, observed.nodes) {
        (Parallelism::Constant(number), _) => number.get(),
        (Parallelism::Coefficient(coefficient), Some(nodes)) => {
            (1..10_000)
                .find(|next| f64::from(*next) > coefficient * f64::from(nodes))
                .unwrap_or(1)
                .max(2)
                - 1
        }
        (Parallelism::Coefficient(_), None) => observed.desired.unwrap_or(1).max(1),
    }
}

/// The observation after a plan was carried out.
fn carried_out(plan: &ScalingPlan, observed: ScalingInput) -> ScalingInput {
    ScalingInput {
        desired: Some(plan.replicas),
        idle_since: match plan.idle {
            IdleState::Busy => None,
            IdleState::Since(since) => Some(since),
        },
        ..observed
    }
}

proptest! {
    #[test]
    fn every_observation_leads_to_a_legal_number(scale in any_scale(), observed in any_observation()) {
        let plan = plan(&scale, &observed, NOW);
        prop_assert!(plan.replicas <= most(&scale, &observed));
        if observed.unfinished_jobs > 0 {
            prop_assert!(plan.replicas >= 1 || scale.replicas == Some(0), "nobody is left at work");
            prop_assert_eq!(plan.idle, IdleState::Busy);
        }
        if plan.replicas == 0 {
            let is_asked_for = scale.standby_after.is_some() || scale.replicas == Some(0);
            prop_assert!(is_asked_for, "only standby and a pause mean no workers");
        }
        if !scale.autoscaling && observed.unfinished_jobs > 0 {
            prop_assert_eq!(plan.replicas, most(&scale, &observed));
        }
    }

    #[test]
    fn planning_again_changes_nothing(scale in any_scale(), observed in any_observation()) {
        let first = plan(&scale, &observed, NOW);
        let again = plan(&scale, &carried_out(&first, observed), NOW);
        prop_assert_eq!(first, again);
    }

    #[test]
    fn no_busy_worker_goes_for_want_of_datums(scale in any_scale(), observed in any_observation()) {
        prop_assume!(observed.unfinished_jobs > 0);
        let plan = plan(&scale, &observed, NOW);
        prop_assert!(plan.replicas >= observed.busy.min(most(&scale, &observed)));
    }

    #[test]
    fn a_standby_pipeline_rests_when_its_time_has_come(scale in any_scale(), observed in any_observation()) {
        prop_assume!(observed.unfinished_jobs == 0);
        let first = plan(&scale, &observed, NOW);
        if let Some(wait) = first.again_in {
            let later = NOW + SignedDuration::try_from(wait).unwrap();
            let rest = plan(&scale, &carried_out(&first, observed), later);
            prop_assert_eq!((rest.replicas, rest.again_in), (0, None));
        }
    }
}

fn node(name: &str, spec: &serde_json::Value, ready: &str) -> Node {
    serde_json::from_value(json!({
        "metadata": { "name": name, "labels": { "zone": name, "disk": "ssd" } },
        "spec": spec,
        "status": { "conditions": [{ "type": "Ready", "status": ready }] },
    }))
    .unwrap()
}

#[test]
fn only_nodes_that_workers_can_be_placed_on_count() {
    let taint =
        |effect: &str| json!({ "taints": [{ "key": "gpu", "value": "yes", "effect": effect }] });
    let nodes = [
        node("plain", &json!({}), "True"),
        node("cordoned", &json!({ "unschedulable": true }), "True"),
        node("lost", &json!({}), "Unknown"),
        node("tainted", &taint("NoSchedule"), "True"),
        node("evicting", &taint("NoExecute"), "True"),
        node("unloved", &taint("PreferNoSchedule"), "True"),
    ];
    let tolerate = |key: &str, operator: &str, value: &str, effect: &str| Toleration {
        key: (!key.is_empty()).then(|| key.to_owned()),
        operator: Some(operator.to_owned()),
        value: (!value.is_empty()).then(|| value.to_owned()),
        effect: (!effect.is_empty()).then(|| effect.to_owned()),
        seconds: None,
    };
    let for_a_time = Toleration {
        seconds: Some(5),
        ..tolerate("gpu", "Exists", "", "NoExecute")
    };
    let rows = [
        ("anywhere", vec![], vec![], 2),
        ("one zone", vec![("zone", "plain")], vec![], 1),
        ("a label of all", vec![("disk", "ssd")], vec![], 2),
        ("nowhere", vec![("zone", "mars")], vec![], 0),
        (
            "every taint",
            vec![],
            vec![tolerate("", "Exists", "", "")],
            4,
        ),
        (
            "that taint",
            vec![],
            vec![tolerate("gpu", "Exists", "", "")],
            4,
        ),
        (
            "that value",
            vec![],
            vec![tolerate("gpu", "Equal", "yes", "")],
            4,
        ),
        (
            "another value",
            vec![],
            vec![tolerate("gpu", "Equal", "no", "")],
            2,
        ),
        (
            "one effect",
            vec![],
            vec![tolerate("gpu", "Equal", "yes", "NoSchedule")],
            3,
        ),
        (
            "all effects by name",
            vec![],
            vec![tolerate("gpu", "Exists", "", "AllEffects")],
            4,
        ),
        ("for a time", vec![], vec![for_a_time], 2),
    ];
    for (name, labels, tolerations, expected) in rows {
        let pair = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let selector = labels.into_iter().map(pair).collect();
        let fit = NodeFit {
            selector: &selector,
            tolerations: &tolerations,
        };
        assert_eq!(fitting(&nodes, &fit), expected, "{name}");
    }
}
