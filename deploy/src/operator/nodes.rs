//! The nodes of the cluster, kept current by a watch. Only fields that matter for scheduling are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt, future};
use k8s_openapi::api::core::v1::{Node, NodeSpec, NodeStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};

use crate::plan::{NodeFit, fitting, is_going, is_node_ready};

/// The current nodes. Cheap to clone; all clones share the same data.
#[derive(Clone, Debug, Default)]
pub struct Nodes(Arc<Mutex<NodeCache>>);

#[derive(Debug, Default)]
struct NodeCache {
    nodes: BTreeMap<String, Node>,
    /// Nodes of a list that is still arriving.
    incoming: BTreeMap<String, Node>,
    /// True after the first complete list.
    complete: bool,
    /// True if the operator has no right to list nodes.
    hidden: bool,
}

impl Nodes {
    /// Nodes as after a complete list.
    #[cfg(test)]
    pub(crate) fn of(nodes: impl IntoIterator<Item = Node>) -> Self {
        let known = Self::default();
        let events = nodes.into_iter().map(Event::InitApply);
        for event in events.chain([Event::InitDone]) {
            known.record(Ok(event));
        }
        known
    }

    /// The number of nodes on which workers can be scheduled; `None` if the nodes are unknown.
    pub fn fitting(&self, fit: &NodeFit<'_>) -> Option<u32> {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.complete.then(|| fitting(cache.nodes.values(), fit))
    }

    /// The names of the nodes that are not ready.
    pub fn unready(&self) -> BTreeSet<String> {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unready = cache.nodes.iter().filter(|(_, node)| !is_node_ready(node));
        unready.map(|(name, _)| name.clone()).collect()
    }

    /// The names of the nodes with an announced end.
    pub fn going(&self) -> BTreeSet<String> {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let going = cache.nodes.iter().filter(|(_, node)| is_going(node));
        going.map(|(name, _)| name.clone()).collect()
    }

    /// True if the operator has no right to list nodes.
    pub fn are_hidden(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).hidden
    }

    /// Records a watch event. Returns true if the event changes where workers can be scheduled.
    fn record(&self, event: Result<Event<Node>, watcher::Error>) -> bool {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Ok(event) => cache.record(event),
            Err(error) => {
                cache.hidden = is_forbidden(&error);
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "cannot watch the nodes"
                );
                false
            }
        }
    }
}

impl NodeCache {
    fn record(&mut self, event: Event<Node>) -> bool {
        self.hidden = false;
        match event {
            Event::Init => {
                self.incoming.clear();
                false
            }
            Event::InitApply(node) => {
                self.incoming
                    .insert(node.name_any(), scheduling_fields(node));
                false
            }
            Event::InitDone => {
                let incoming = std::mem::take(&mut self.incoming);
                let changed = !self.complete || incoming != self.nodes;
                self.nodes = incoming;
                self.complete = true;
                changed
            }
            Event::Apply(node) => {
                let (name, node) = (node.name_any(), scheduling_fields(node));
                let before = self.nodes.insert(name, node.clone());
                before.as_ref() != Some(&node)
            }
            Event::Delete(node) => self.nodes.remove(&node.name_any()).is_some(),
        }
    }
}

/// Watches the nodes. The stream yields after each change that affects scheduling, and must be polled to keep [`Nodes`]
/// current.
pub fn watch_nodes(client: Client) -> (Nodes, impl Stream<Item = ()> + Send) {
    let nodes = Nodes::default();
    let recorder = nodes.clone();
    let changes = watcher(Api::<Node>::all(client), watcher::Config::default())
        .default_backoff()
        .filter_map(move |event| future::ready(recorder.record(event).then_some(())));
    (nodes, changes)
}

/// The fields of a node that matter for scheduling. The rest changes every few minutes and is large.
fn scheduling_fields(node: Node) -> Node {
    let spec = node.spec.unwrap_or_default();
    let conditions = node.status.and_then(|status| status.conditions);
    let mut ready = conditions.unwrap_or_default();
    ready.retain(|condition| condition.type_ == "Ready");
    for condition in &mut ready {
        (
            condition.last_heartbeat_time,
            condition.message,
            condition.reason,
        ) = (None, None, None);
    }
    Node {
        metadata: ObjectMeta {
            name: node.metadata.name,
            labels: node.metadata.labels,
            ..ObjectMeta::default()
        },
        spec: Some(NodeSpec {
            taints: spec.taints,
            unschedulable: spec.unschedulable,
            ..NodeSpec::default()
        }),
        status: Some(NodeStatus {
            conditions: Some(ready),
            ..NodeStatus::default()
        }),
    }
}

fn is_forbidden(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status.is_forbidden(),
        _ => false,
    }
}
