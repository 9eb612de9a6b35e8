//! A namespace, a store, a broker, and an operator that is a process of this machine.

use std::process::Command;

use drover_tests::{Running, TestCluster, drover_operator, eventually, unique};
use serde_json::{Value, json};

use crate::cluster::Cluster;

pub(crate) struct OperatorHarness {
    pub(crate) cluster: Cluster,
    pub(crate) drover: TestCluster,
}

impl OperatorHarness {
    /// A harness without an operator as yet; none without a cluster.
    pub(crate) fn reach() -> Option<Self> {
        let cluster = Cluster::reach()?;
        Some(Self {
            cluster,
            drover: TestCluster::new(),
        })
    }

    /// Starts an operator, with the rights of its service account.
    pub(crate) fn operator(&self) -> Running {
        let mut command = Command::new(drover_operator());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("DROVER_") {
                command.env_remove(name);
            }
        }
        let name = unique("operator");
        command
            .env(
                "KUBECONFIG",
                self.cluster
                    .configuration(self.drover.workspace.store().parent().unwrap()),
            )
            .env("DROVER_BROKER", self.drover.url())
            .arg("--store")
            .arg(self.drover.workspace.store())
            .args(["--namespace", &self.cluster.namespace, "--name", &name])
            .args(["--worker-path", "/usr/local/bin/drover-worker"])
            .arg("--allow-pod-spec");
        Running::start(command, &self.drover.workspace.outside(&name))
    }

    /// Applies a minimal pipeline with these additional fields.
    pub(crate) fn apply(&self, name: &str, fields: &Value) {
        self.cluster.apply(&resource(name, fields));
    }

    pub(crate) fn status(&self, name: &str) -> Value {
        self.cluster.get("pipeline", name)["status"].clone()
    }

    /// Waits until a condition of the pipeline has this reason.
    #[track_caller]
    pub(crate) fn says(&self, name: &str, kind: &str, reason: &str) {
        let mut last = Value::Null;
        eventually(&format!("{kind} of {name} is {reason}"), || {
            last = self.status(name);
            let conditions = last["conditions"].as_array();
            conditions.is_some_and(|all| {
                all.iter()
                    .any(|it| it["type"] == kind && it["reason"] == reason)
            })
        });
    }

    /// Waits until the Deployment of the pipeline wants so many workers.
    #[track_caller]
    pub(crate) fn wants(&self, name: &str, workers: u64) {
        eventually(&format!("{name} wants {workers} workers"), || {
            self.wanted(name) == Some(workers)
        });
    }

    pub(crate) fn wanted(&self, name: &str) -> Option<u64> {
        self.cluster.get("deployment", &format!("drover-{name}"))["spec"]["replicas"].as_u64()
    }
}

/// A minimal pipeline with these additional fields. Its pods fit no node, so none of the pods runs.
pub(crate) fn resource(name: &str, fields: &Value) -> Value {
    let mut spec = json!({
        "transform": { "image": "example.invalid/nothing:1", "cmd": ["true"] },
        "input": { "pfs": { "repo": "in", "glob": "/*" } },
        "scheduling_spec": { "node_selector": { "drover.dev/test": "nowhere" } },
    });
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": "Pipeline",
        "metadata": { "name": name },
        "spec": spec,
    })
}
