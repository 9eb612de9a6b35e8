//! The operator is killed, or there are two.

use drover_tests::{Signal, eventually};
use serde_json::json;

use crate::farm::Farm;

fn holder(farm: &Farm) -> String {
    let lease = farm.cluster.get("lease", "drover-operator");
    lease["spec"]["holderIdentity"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn of_two_operators_the_other_one_takes_over() {
    let Some(farm) = Farm::reach() else { return };
    let first = farm.operator();
    eventually("one is at work", || !holder(&farm).is_empty());
    let leader = holder(&farm);
    let _second = farm.operator();
    farm.apply("made", &json!({ "parallelism_spec": { "constant": 1 } }));
    farm.wants("made", 1);
    assert_eq!(holder(&farm), leader);
    first.kill();
    farm.apply("made", &json!({ "parallelism_spec": { "constant": 2 } }));
    farm.wants("made", 2);
    assert_ne!(holder(&farm), leader);
}

#[test]
fn an_operator_that_is_asked_to_stop_gives_its_turn_to_the_next() {
    let Some(farm) = Farm::reach() else { return };
    let mut first = farm.operator();
    eventually("one is at work", || !holder(&farm).is_empty());
    first.signal(Signal::SIGTERM);
    first.finish().code(0);
    assert_eq!(holder(&farm), "");
}

#[test]
fn an_operator_that_was_killed_goes_on_where_it_was() {
    let Some(farm) = Farm::reach() else { return };
    let operator = farm.operator();
    farm.apply("made", &json!({ "parallelism_spec": { "constant": 2 } }));
    farm.wants("made", 2);
    operator.kill();
    let before = farm.cluster.get("deployment", "drover-made")["metadata"]["generation"].clone();
    farm.apply("other", &json!({ "parallelism_spec": { "constant": 1 } }));
    let _operator = farm.operator();
    farm.wants("other", 1);
    let after = farm.cluster.get("deployment", "drover-made")["metadata"]["generation"].clone();
    assert_eq!(after, before, "what was so already was not touched");
}
