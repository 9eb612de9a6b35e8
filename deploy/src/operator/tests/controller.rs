//! The controller: changes that trigger a reconciliation. No test here waits for the periodic reconciliation.

use std::sync::Arc;
use std::time::{Duration, Instant};

use drover_shared::id::PipelineName;
use futures::channel::mpsc;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::operator::{watch, watch_nodes};
use crate::testing::Harness;

const NODES: &str = "/api/v1/nodes";

/// Shorter than the periodic reconcile interval.
const SOON: Duration = Duration::from_secs(10);

/// A running operator.
struct Operator {
    harness: Arc<Harness>,
    hints: mpsc::UnboundedSender<PipelineName>,
    stop: CancellationToken,
    working: tokio::task::JoinHandle<()>,
}

impl Operator {
    fn start(harness: Harness) -> Self {
        let (harness, stop) = (Arc::new(harness), CancellationToken::new());
        let (hints, arrivals) = mpsc::unbounded();
        let (of_it, stopped) = (Arc::clone(&harness), stop.clone());
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
            harness,
            hints,
            stop,
            working,
        }
    }

    async fn wants(&self, workers: u64) {
        let began = Instant::now();
        while self.harness.replicas() != Some(workers) {
            let desired = self.harness.replicas();
            assert!(
                began.elapsed() < SOON,
                "{desired:?} workers are desired, not {workers}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the readiness is as expected.
    async fn readies(&self, expected: impl Fn(&Result<(), String>) -> bool) {
        let began = Instant::now();
        while !expected(&self.harness.health.readiness()) {
            let readiness = self.harness.health.readiness();
            assert!(began.elapsed() < SOON, "{readiness:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the operator sends no more requests: the reconciliations after its own changes are finished.
    async fn rests(&self) {
        let mut silent = 0;
        while silent < 20 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let requests = self.harness.cluster.requests();
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
    let operator = Operator::start(Harness::new());
    operator
        .harness
        .apply("thumbs", json!({ "parallelism_spec": { "constant": 2 } }));
    operator.wants(2).await;
    operator
        .harness
        .apply("thumbs", json!({ "parallelism_spec": { "constant": 3 } }));
    operator.wants(3).await;
    operator.end().await;
}

#[tokio::test]
async fn a_hint_wakes_a_pipeline_at_once() {
    let operator = Operator::start(Harness::new());
    operator.harness.apply(
        "thumbs",
        json!({ "parallelism_spec": { "constant": 2 }, "standby_after": "1h" }),
    );
    operator.wants(0).await;
    operator.rests().await;
    operator.harness.set_backlog(1, 5);
    operator
        .hints
        .unbounded_send("thumbs".parse().unwrap())
        .unwrap();
    operator.wants(2).await;
    operator.end().await;
}

#[tokio::test]
async fn nodes_that_come_and_are_cordoned_are_followed_at_once() {
    let harness = Harness::new();
    harness.cluster.put(NODES, node("one", false));
    harness.cluster.put(NODES, node("two", false));
    let operator = Operator::start(harness);
    operator.harness.apply(
        "thumbs",
        json!({ "parallelism_spec": { "coefficient": 2 } }),
    );
    operator.wants(4).await;
    operator.rests().await;
    operator.harness.cluster.put(NODES, node("three", false));
    operator.wants(6).await;
    operator.rests().await;
    operator.harness.cluster.change("nodes", "two", |node| {
        node["spec"]["unschedulable"] = json!(true);
    });
    operator.wants(4).await;
    operator.end().await;
}

#[tokio::test]
async fn what_happens_to_a_deployment_or_a_pod_is_seen() {
    let operator = Operator::start(Harness::new());
    operator
        .harness
        .apply("thumbs", json!({ "parallelism_spec": { "constant": 2 } }));
    operator.wants(2).await;
    operator
        .harness
        .cluster
        .change("deployments", "drover-thumbs", |deployment| {
            deployment["spec"]["replicas"] = json!(9);
        });
    operator.wants(2).await;
    operator.rests().await;
    operator.harness.pods(2, &[]);
    let began = Instant::now();
    while operator.harness.status("thumbs")["readyReplicas"] != 2 {
        assert!(
            began.elapsed() < SOON,
            "{:#}",
            operator.harness.status("thumbs")
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    operator.end().await;
}

#[tokio::test]
async fn where_nodes_may_not_be_seen_that_is_told_and_what_is_there_stays() {
    let harness = Harness::new();
    harness.cluster.forbid("nodes");
    let operator = Operator::start(harness);
    operator.harness.apply(
        "thumbs",
        json!({ "parallelism_spec": { "coefficient": 2 } }),
    );
    operator.wants(1).await;
    operator.harness.pods(1, &[]);
    let began = Instant::now();
    while !operator
        .harness
        .condition("thumbs", "Ready")
        .starts_with("True NodesHidden")
    {
        assert!(
            began.elapsed() < SOON,
            "{}",
            operator.harness.condition("thumbs", "Ready")
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    operator.end().await;
}

#[tokio::test]
async fn an_operator_is_ready_while_its_watches_work_and_the_store_answers() {
    let operator = Operator::start(Harness::new());
    let health = Arc::clone(&operator.harness.health);
    health.lease(None);
    operator.readies(Result::is_ok).await;
    operator.harness.apply("thumbs", json!({}));
    operator.wants(1).await;
    operator.harness.job_store.0.lock().unwrap().unreachable = true;
    operator
        .harness
        .apply("thumbs", json!({ "datum_tries": 9 }));
    let no_store = |readiness: &Result<(), String>| {
        readiness
            .as_ref()
            .is_err_and(|why| why.contains("the store: ") && why.contains("no route"))
    };
    operator.readies(no_store).await;
    operator.end().await;
}

#[tokio::test]
async fn an_operator_whose_watches_are_refused_is_not_ready() {
    for kind in ["pipelines", "deployments"] {
        let harness = Harness::new();
        harness.cluster.forbid(kind);
        let operator = Operator::start(harness);
        operator.harness.health.lease(None);
        let refused = |readiness: &Result<(), String>| {
            readiness
                .as_ref()
                .is_err_and(|why| why.contains("you may not"))
        };
        operator.readies(refused).await;
        operator.end().await;
    }
}

#[tokio::test]
async fn an_operator_that_has_seen_no_pipelines_yet_stops_at_once() {
    let harness = Harness::new();
    harness.cluster.forbid("pipelines");
    let operator = Operator::start(harness);
    operator.rests().await;
    operator.end().await;
}

#[tokio::test]
async fn a_running_operator_removes_a_deleted_pipeline_from_the_store_within_seconds() {
    let operator = Operator::start(Harness::new());
    for name in ["thumbs", "other"] {
        operator.harness.apply(name, json!({}));
    }
    let registered = |count: usize| {
        let store = Arc::clone(&operator.harness.job_store.0);
        async move {
            let began = Instant::now();
            while store.lock().unwrap().registered.len() != count {
                assert!(began.elapsed() < SOON, "not {count} are registered");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    registered(2).await;
    operator.harness.delete("thumbs", "2999-01-01T00:00:00Z");
    registered(1).await;
    let store = operator
        .harness
        .job_store
        .0
        .lock()
        .unwrap()
        .registered
        .clone();
    assert_eq!(store.into_keys().next().unwrap().as_str(), "other");
    operator.end().await;
}
