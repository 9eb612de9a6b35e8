//! The operator dies, or there are two of them.

use serde_json::{Value, json};

use super::farm::Farm;

/// What happens to a pipeline in its life, step by step.
type Step = fn(&Farm);

const LIFE: [Step; 6] = [
    |farm| farm.apply("thumbs", spec("convert:1")),
    |farm| farm.work(1, 300),
    |farm| farm.pods(4, &[1]),
    |farm| farm.apply("thumbs", spec("convert:2")),
    |farm| farm.work(1, 1),
    |farm| farm.delete("thumbs", "2026-01-01T00:00:00Z"),
];

fn spec(image: &str) -> Value {
    json!({
        "transform": { "image": image },
        "parallelism_spec": { "constant": 4 },
        "autoscaling": true,
    })
}

/// The world after each step, with an operator that comes to rest before the next one.
async fn undisturbed() -> Vec<Value> {
    let farm = Farm::new();
    let mut pictures = Vec::new();
    for step in LIFE {
        step(&farm);
        farm.settle("thumbs").await;
        pictures.push(farm.cluster.picture());
    }
    pictures
}

#[tokio::test]
async fn an_operator_that_is_killed_anywhere_leaves_nothing_for_the_next_one_to_stumble_over() {
    let expected = undisturbed().await;
    for killed_after in 0..12 {
        let farm = Farm::new();
        for (step, expected) in LIFE.iter().zip(&expected) {
            step(&farm);
            farm.cluster.break_after(killed_after);
            for _ in 0..3 {
                let _ = farm.look("thumbs").await;
            }
            farm.cluster.heal();
            farm.settle("thumbs").await;
            assert_eq!(
                farm.cluster.picture(),
                *expected,
                "killed after {killed_after} requests"
            );
        }
    }
}

#[tokio::test]
async fn two_operators_at_the_same_time_do_no_harm() {
    let expected = undisturbed().await;
    let farm = Farm::new();
    for (step, expected) in LIFE.iter().zip(&expected) {
        step(&farm);
        for _ in 0..4 {
            let _ = tokio::join!(farm.look("thumbs"), farm.look("thumbs"));
        }
        farm.settle("thumbs").await;
        assert_eq!(farm.cluster.picture(), *expected);
    }
}
