//! One worker for several pipelines.

use std::path::Path;

use drover_shared::queue::Depth;
use drover_shared::wire::{self, Control, Message};
use drover_worker::PipelineSelection;
use serde_json::{Value, json};

use crate::farm::{Farm, SOON, eventually, exists, open};

/// Notes its pipeline in a line, then waits for the gate.
const NOTE_AND_WAIT: &str =
    "echo $PPS_PIPELINE_NAME >> $FARM/order; until test -e $FARM/go; do sleep 0.01; done";

/// A datum that no consumer waits for.
const WAITING: Depth = Depth {
    ready: 1,
    consumers: 0,
};

fn spec(script: &str) -> Value {
    json!({"transform": {"cmd": ["sh", "-c", script]}})
}

fn any() -> PipelineSelection {
    PipelineSelection::from_iter(["*".parse().unwrap()])
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

async fn submit(farm: &Farm) {
    let hint = Control::Submitted {
        pipeline: farm.pipeline.clone(),
        job: farm.job,
    };
    let hint = wire::encode(&Message::Control(hint)).unwrap();
    farm.broker.broadcast(hint).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_for_any_pipeline_serves_those_that_are_there_and_those_that_come() {
    let mut farm = Farm::new("echo x > /pfs/out/x").await;
    farm.write("a", "A\n");
    farm.publish(vec![farm.datum(0, "a")]).await;
    farm.serve(farm.settings(), any());
    assert!(farm.ended().await.1, "it was there");
    farm.change_pipeline("q", spec("touch $FARM/came")).await;
    farm.publish(vec![farm.datum(0, "a")]).await;
    submit(&farm).await;
    exists(&farm.path("came")).await;
    farm.change_pipeline("r", spec("exit 1")).await;
    let others = PipelineSelection::from_iter(["q*".parse().unwrap()]);
    farm.serve(farm.settings(), others);
    submit(&farm).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let consumers = farm.broker.depth(&farm.datums()).await.unwrap().consumers;
    assert_eq!(consumers, 1, "the other worker was not asked for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_datums_beside_many_have_their_turn_next() {
    let note = "echo $PPS_PIPELINE_NAME >> $FARM/order; sleep 0.1";
    let mut farm = Farm::with(spec(note)).await;
    farm.write("a", "A\n");
    for index in 0..40 {
        farm.publish(vec![farm.datum(index, "a")]).await;
    }
    farm.serve(farm.settings(), any());
    let order = farm.path("order");
    exists(&order).await;
    farm.change_pipeline("few", spec(note)).await;
    farm.publish(vec![farm.datum(0, "a")]).await;
    let before = lines(&order).len();
    submit(&farm).await;
    let place = || lines(&order).iter().position(|name| name == "few");
    eventually("it has begun", || place().is_some()).await;
    // The subscription and the staging take their time.
    assert!(place().unwrap() < before + 10, "{:?}", lines(&order));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_worker_leaves_the_datums_of_other_pipelines_to_others() {
    let mut farm = Farm::with(spec(NOTE_AND_WAIT)).await;
    farm.write("a", "A\n");
    farm.publish(vec![farm.datum(0, "a")]).await;
    farm.serve(farm.settings(), any());
    exists(&farm.path("order")).await;
    farm.change_pipeline("few", spec("touch $FARM/few")).await;
    submit(&farm).await;
    farm.publish(vec![farm.datum(0, "a")]).await;
    let handed_back = async {
        while farm.broker.depth(&farm.datums()).await.unwrap() != WAITING {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, handed_back)
        .await
        .expect("the datum goes back");
    open(&farm.path("go"));
    exists(&farm.path("few")).await;
}
