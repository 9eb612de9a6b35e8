//! Crashes of the operator, and two operators at the same time.

use serde_json::{Value, json};

use crate::testing::Harness;

/// One event in the life of a pipeline.
type Step = fn(&Harness);

const LIFE: [Step; 6] = [
    |harness| harness.apply("thumbs", spec("convert:1")),
    |harness| harness.set_backlog(1, 300),
    |harness| harness.pods(4, &[1]),
    |harness| harness.apply("thumbs", spec("convert:2")),
    |harness| harness.set_backlog(1, 1),
    |harness| harness.delete("thumbs", "2026-01-01T00:00:00Z"),
];

fn spec(image: &str) -> Value {
    json!({
        "transform": { "image": image },
        "parallelism_spec": { "constant": 4 },
        "autoscaling": true,
    })
}

/// The cluster after each step, with an operator that settles before the next step.
async fn undisturbed() -> Vec<Value> {
    let harness = Harness::new();
    let mut pictures = Vec::new();
    for step in LIFE {
        step(&harness);
        harness.settle("thumbs").await;
        pictures.push(harness.cluster.picture());
    }
    pictures
}

#[tokio::test]
async fn an_operator_that_is_killed_anywhere_leaves_nothing_for_the_next_one_to_stumble_over() {
    let expected = undisturbed().await;
    for killed_after in 0..12 {
        let harness = Harness::new();
        for (step, expected) in LIFE.iter().zip(&expected) {
            step(&harness);
            harness.cluster.break_after(killed_after);
            for _ in 0..3 {
                let _ = harness.look("thumbs").await;
            }
            harness.cluster.heal();
            harness.settle("thumbs").await;
            assert_eq!(
                harness.cluster.picture(),
                *expected,
                "killed after {killed_after} requests"
            );
        }
    }
}

#[tokio::test]
async fn two_operators_at_the_same_time_do_no_harm() {
    let expected = undisturbed().await;
    let harness = Harness::new();
    for (step, expected) in LIFE.iter().zip(&expected) {
        step(&harness);
        for _ in 0..4 {
            let _ = tokio::join!(harness.look("thumbs"), harness.look("thumbs"));
        }
        harness.settle("thumbs").await;
        assert_eq!(harness.cluster.picture(), *expected);
    }
}
