//! One worker for several pipelines.

use std::path::Path;

use drover_shared::wire::{self, Control, Message};
use drover_worker::PipelineSelection;
use serde_json::{Value, json};

use crate::farm::{Farm, SOON, eventually, exists, open};

/// Notes its pipeline in a line, then waits for the gate.
const NOTE_AND_WAIT: &str =
    "echo $PPS_PIPELINE_NAME >> $FARM/order; until test -e $FARM/go; do sleep 0.01; done";

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
    let mut farm = Farm::with(spec(NOTE_AND_WAIT)).await;
    farm.write("a", "A\n");
    for index in 0..20 {
        farm.publish(vec![farm.datum(index, "a")]).await;
    }
    farm.serve(farm.settings(), any());
    let order = farm.path("order");
    exists(&order).await;
    farm.change_pipeline("few", spec(NOTE_AND_WAIT)).await;
    farm.publish(vec![farm.datum(0, "a")]).await;
    submit(&farm).await;
    let taken = async {
        while farm.broker.depth(&farm.datums()).await.unwrap()
            != (drover_shared::queue::Depth {
                ready: 0,
                consumers: 1,
            })
        {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, taken)
        .await
        .expect("the datum is taken");
    // Until the datum is staged.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    open(&farm.path("go"));
    eventually("several have run", || lines(&order).len() > 3).await;
    assert_eq!(lines(&order)[..2], ["p", "few"]);
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
        while farm.broker.depth(&farm.datums()).await.unwrap()
            != (drover_shared::queue::Depth {
                ready: 1,
                consumers: 0,
            })
        {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, handed_back)
        .await
        .expect("the datum goes back");
    open(&farm.path("go"));
    exists(&farm.path("few")).await;
}
