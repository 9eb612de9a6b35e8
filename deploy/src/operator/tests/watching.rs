//! The controller: which changes lead to a look. Nothing here waits for the next look that comes by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use drover_shared::id::PipelineName;
use futures::channel::mpsc;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::farm::Farm;
use crate::operator::{watch, watch_nodes};

const NODES: &str = "/api/v1/nodes";

/// Sooner than a look comes by itself.
const SOON: Duration = Duration::from_secs(10);

/// An operator at work on a farm.
struct Operator {
    farm: Arc<Farm>,
    hints: mpsc::UnboundedSender<PipelineName>,
    stop: CancellationToken,
    working: tokio::task::JoinHandle<()>,
}

impl Operator {
    fn start(farm: Farm) -> Self {
        let (farm, stop) = (Arc::new(farm), CancellationToken::new());
        let (hints, arrivals) = mpsc::unbounded();
        let (of_it, stopped) = (Arc::clone(&farm), stop.clone());
        #[expect(clippy::disallowed_methods, reason = "a test waits for it itself")]
        let working = tokio::spawn(async move {
            let client = of_it.cluster.client();
            let (nodes, changes) = watch_nodes(client.clone());
            let context = |pipelines| of_it.context(pipelines, nodes);
            Box::pin(watch(
                client,
                "farm",
                context,
                changes,
                arrivals,
                stopped.cancelled_owned(),
            ))
            .await;
        });
        Self {
            farm,
            hints,
            stop,
            working,
        }
    }

    async fn wants(&self, workers: u64) {
        let began = Instant::now();
        while self.farm.replicas() != Some(workers) {
            let wanted = self.farm.replicas();
            assert!(
                began.elapsed() < SOON,
                "{wanted:?} workers are wanted, not {workers}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until it has nothing more to ask: looks that its own changes led to are over.
    async fn rests(&self) {
        let mut silent = 0;
        while silent < 20 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let requests = self.farm.cluster.requests();
            let asks = requests.iter().any(|it| it.parameter("watch").is_none());
            silent = if asks { 0 } else { silent + 1 };
        }
    }

    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(SOON, self.working)
            .await
            .unwrap()
            .unwrap();
    }
}

fn node(name: &str, unschedulable: bool) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": name },
        "spec": { "unschedulable": unschedulable },
        "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
    })
}

#[tokio::test]
async fn a_pipeline_that_comes_and_changes_is_looked_at() {
    let operator = Operator::start(Farm::new());
    operator
        .farm
        .apply("thumbs", json!({ "parallelism_spec": { "constant": 2 } }));
    operator.wants(2).await;
    operator
        .farm
        .apply("thumbs", json!({ "parallelism_spec": { "constant": 3 } }));
    operator.wants(3).await;
    operator.end().await;
}

#[tokio::test]
async fn a_hint_wakes_a_pipeline_at_once() {
    let operator = Operator::start(Farm::new());
    operator.farm.apply(
        "thumbs",
        json!({ "parallelism_spec": { "constant": 2 }, "standby_after": "1h" }),
    );
    operator.wants(0).await;
    operator.rests().await;
    operator.farm.work(1, 5);
    operator
        .hints
        .unbounded_send("thumbs".parse().unwrap())
        .unwrap();
    operator.wants(2).await;
    operator.end().await;
}

#[tokio::test]
async fn nodes_that_come_and_are_cordoned_are_followed_at_once() {
    let farm = Farm::new();
    farm.cluster.put(NODES, node("one", false));
    farm.cluster.put(NODES, node("two", false));
    let operator = Operator::start(farm);
    operator.farm.apply(
        "thumbs",
        json!({ "parallelism_spec": { "coefficient": 2 } }),
    );
    operator.wants(4).await;
    operator.rests().await;
    operator.farm.cluster.put(NODES, node("three", false));
    operator.wants(6).await;
    operator.rests().await;
    operator.farm.cluster.change("nodes", "two", |node| {
        node["spec"]["unschedulable"] = json!(true);
    });
    operator.wants(4).await;
    operator.end().await;
}

#[tokio::test]
async fn what_happens_to_a_deployment_or_a_pod_is_seen() {
    let operator = Operator::start(Farm::new());
    operator
        .farm
        .apply("thumbs", json!({ "parallelism_spec": { "constant": 2 } }));
    operator.wants(2).await;
    operator
        .farm
        .cluster
        .change("deployments", "drover-thumbs", |deployment| {
            deployment["spec"]["replicas"] = json!(9);
        });
    operator.wants(2).await;
    operator.rests().await;
    operator.farm.pods(2, &[]);
    let began = Instant::now();
    while operator.farm.status("thumbs")["readyReplicas"] != 2 {
        assert!(
            began.elapsed() < SOON,
            "{:#}",
            operator.farm.status("thumbs")
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    operator.end().await;
}

#[tokio::test]
async fn where_nodes_may_not_be_seen_that_is_told_and_what_is_there_stays() {
    let farm = Farm::new();
    farm.cluster.forbid("nodes");
    let operator = Operator::start(farm);
    operator.farm.apply(
        "thumbs",
        json!({ "parallelism_spec": { "coefficient": 2 } }),
    );
    operator.wants(1).await;
    operator.farm.pods(1, &[]);
    let began = Instant::now();
    while !operator
        .farm
        .condition("thumbs", "Ready")
        .starts_with("True NodesHidden")
    {
        assert!(
            began.elapsed() < SOON,
            "{}",
            operator.farm.condition("thumbs", "Ready")
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    operator.end().await;
}

#[tokio::test]
async fn an_operator_that_has_seen_no_pipelines_yet_stops_at_once() {
    let farm = Farm::new();
    farm.cluster.forbid("pipelines");
    let operator = Operator::start(farm);
    operator.rests().await;
    operator.end().await;
}
