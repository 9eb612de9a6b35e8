//! One worker for each node that fits, as nodes come and go. The nodes are objects without a machine.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use drover_tests::{eventually, unique};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cluster::{self, Cluster};
use crate::harness::OperatorHarness;

/// A fake node; deleted on drop.
struct Node<'a> {
    cluster: &'a Cluster,
    name: String,
    _pulse: Pulse,
}

/// Says that a node is alive, as its kubelet would: else the cluster's controllers hold it for lost within 40 seconds.
struct Pulse {
    stop: Option<Sender<()>>,
    beating: Option<JoinHandle<()>>,
}

impl Pulse {
    const EVERY: Duration = Duration::from_secs(5);

    fn of(node: &str) -> Self {
        let (stop, stopped) = mpsc::channel();
        let node = node.to_owned();
        beat(&node);
        let beating = thread::spawn(move || {
            while stopped.recv_timeout(Self::EVERY) == Err(RecvTimeoutError::Timeout) {
                beat(&node);
            }
            cluster::delete_in(LEASES, "lease", &node);
        });
        Self {
            stop: Some(stop),
            beating: Some(beating),
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.beating.take().map(JoinHandle::join);
    }
}

/// The namespace of the leases of nodes.
const LEASES: &str = "kube-node-lease";

fn beat(node: &str) {
    let now = format!("{:.6}", Timestamp::now());
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": node },
        "spec": { "holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": now },
    });
    cluster::apply_in(LEASES, &lease);
}

impl<'a> Node<'a> {
    fn add(cluster: &'a Cluster, label: &str) -> Self {
        let name = unique("drover-test-node");
        cluster.apply(&json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": { "name": name, "labels": { "drover.dev/test": label } },
        }));
        let node = Self {
            cluster,
            _pulse: Pulse::of(&name),
            name,
        };
        node.is_ready("True");
        node
    }

    fn is_ready(&self, ready: &str) {
        let condition =
            json!({ "type": "Ready", "status": ready, "reason": "Test", "message": "" });
        self.cluster
            .set_status("node", &self.name, &json!({ "conditions": [condition] }));
    }

    fn taint(&self, key: &str) {
        let taints = self.cluster.get("node", &self.name)["spec"]["taints"].clone();
        let mut taints = taints.as_array().cloned().unwrap_or_default();
        taints.push(json!({ "key": key, "effect": "NoSchedule" }));
        self.cluster
            .merge("node", &self.name, &json!({ "spec": { "taints": taints } }));
    }

    fn cordon(&self, cordoned: bool) {
        self.cluster.merge(
            "node",
            &self.name,
            &json!({ "spec": { "unschedulable": cordoned } }),
        );
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        self.cluster.delete("node", &self.name);
    }
}

/// On nodes of this label alone, whatever taints a node without a kubelet is given.
fn there(label: &str) -> Value {
    json!({
        "parallelism_spec": { "coefficient": 2 },
        "scheduling_spec": { "node_selector": { "drover.dev/test": label } },
        "tolerations": [{ "operator": "Exists" }],
    })
}

#[test]
fn the_number_of_workers_follows_the_nodes() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let _operator = harness.operator();
    let label = unique("label");
    harness.apply("made", &there(&label));
    harness.wants("made", 1);
    let first = Node::add(&harness.cluster, &label);
    harness.wants("made", 2);
    let second = Node::add(&harness.cluster, &label);
    harness.wants("made", 4);
    first.cordon(true);
    harness.wants("made", 2);
    first.cordon(false);
    harness.wants("made", 4);
    second.is_ready("False");
    harness.wants("made", 2);
    drop(first);
    harness.wants("made", 1);
}

#[test]
fn workers_leave_a_node_whose_end_a_taint_announces() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let _operator = harness.operator();
    let label = unique("label");
    let node = Node::add(&harness.cluster, &label);
    // What a node without a kubelet is given, but not the end of a node.
    let unready = [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/network-unavailable",
        "node.cloudprovider.kubernetes.io/uninitialized",
    ];
    let tolerations = unready.map(|key| json!({ "key": key, "operator": "Exists" }));
    let mut spec = there(&label);
    spec["parallelism_spec"] = json!({ "constant": 1 });
    spec["tolerations"] = json!(tolerations);
    harness.apply("made", &spec);
    let pods = || harness.cluster.list("pods", "drover.dev/pipeline=made");
    eventually("a worker is placed on the node", || {
        pods()
            .iter()
            .any(|pod| pod["spec"]["nodeName"] == *node.name)
    });
    let placed = pods()[0]["metadata"]["name"].clone();
    node.taint("karpenter.sh/disrupted");
    eventually("the worker is asked to leave", || {
        let of_it = pods()
            .into_iter()
            .find(|pod| pod["metadata"]["name"] == placed);
        of_it.is_none_or(|pod| pod["metadata"]["deletionTimestamp"].is_string())
    });
}
