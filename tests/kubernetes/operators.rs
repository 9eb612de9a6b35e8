//! The operator is killed, or there are two.

use drover_tests::{Signal, eventually};
use serde_json::json;

use crate::harness::OperatorHarness;

fn holder(harness: &OperatorHarness) -> String {
    let lease = harness.cluster.get("lease", "drover-operator");
    lease["spec"]["holderIdentity"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn of_two_operators_the_other_one_takes_over() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let first = harness.operator();
    eventually("one is at work", || !holder(&harness).is_empty());
    let leader = holder(&harness);
    let _second = harness.operator();
    harness.apply("made", &json!({ "parallelism_spec": { "constant": 1 } }));
    harness.wants("made", 1);
    assert_eq!(holder(&harness), leader);
    first.kill();
    harness.apply("made", &json!({ "parallelism_spec": { "constant": 2 } }));
    harness.wants("made", 2);
    assert_ne!(holder(&harness), leader);
}

#[test]
fn an_operator_that_is_asked_to_stop_gives_its_turn_to_the_next() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let mut first = harness.operator();
    eventually("one is at work", || !holder(&harness).is_empty());
    first.signal(Signal::SIGTERM);
    first.finish().code(0);
    assert_eq!(holder(&harness), "");
}

#[test]
fn an_operator_that_was_killed_goes_on_where_it_was() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let operator = harness.operator();
    harness.apply("made", &json!({ "parallelism_spec": { "constant": 2 } }));
    harness.wants("made", 2);
    operator.kill();
    let before = harness.cluster.get("deployment", "drover-made")["metadata"]["generation"].clone();
    harness.apply("other", &json!({ "parallelism_spec": { "constant": 1 } }));
    let _operator = harness.operator();
    harness.wants("other", 1);
    let after = harness.cluster.get("deployment", "drover-made")["metadata"]["generation"].clone();
    assert_eq!(after, before, "what was so already was not touched");
}
