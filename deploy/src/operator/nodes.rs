//! The nodes of the cluster, kept up to date by a watch; of each only what matters for placing workers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt, future};
use k8s_openapi::api::core::v1::{Node, NodeSpec, NodeStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};

use crate::plan::{Fit, fitting};

/// The nodes as they are now. Cheap to clone; all clones tell the same.
#[derive(Clone, Debug, Default)]
pub struct Nodes(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    nodes: BTreeMap<String, Node>,
    /// Nodes of a list that is still coming in.
    coming: BTreeMap<String, Node>,
    /// Whether a list came in whole.
    complete: bool,
    /// Whether the cluster refuses to show its nodes.
    hidden: bool,
}

impl Nodes {
    /// How many nodes workers can be placed on; none if that can't be told.
    pub fn fitting(&self, fit: &Fit<'_>) -> Option<u32> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.complete.then(|| fitting(known.nodes.values(), fit))
    }

    /// Whether the cluster refuses to show its nodes.
    pub fn are_hidden(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).hidden
    }

    /// Takes note of what a watch tells; whether that changes where workers can be placed.
    fn note(&self, event: Result<Event<Node>, watcher::Error>) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Ok(event) => known.note(event),
            Err(error) => {
                known.hidden = is_forbidden(&error);
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "the nodes can't be watched"
                );
                false
            }
        }
    }
}

impl Known {
    fn note(&mut self, event: Event<Node>) -> bool {
        self.hidden = false;
        match event {
            Event::Init => {
                self.coming.clear();
                false
            }
            Event::InitApply(node) => {
                self.coming.insert(node.name_any(), essence(node));
                false
            }
            Event::InitDone => {
                let coming = std::mem::take(&mut self.coming);
                let changed = !self.complete || coming != self.nodes;
                self.nodes = coming;
                self.complete = true;
                changed
            }
            Event::Apply(node) => {
                let (name, node) = (node.name_any(), essence(node));
                let before = self.nodes.insert(name, node.clone());
                before.as_ref() != Some(&node)
            }
            Event::Delete(node) => self.nodes.remove(&node.name_any()).is_some(),
        }
    }
}

/// Watches the nodes; the stream yields whenever workers can be placed elsewhere than before, and must be polled for
/// [`Nodes`] to stay up to date.
pub fn watch_nodes(client: Client) -> (Nodes, impl Stream<Item = ()> + Send) {
    let nodes = Nodes::default();
    let noting = nodes.clone();
    let changes = watcher(Api::<Node>::all(client), watcher::Config::default())
        .default_backoff()
        .filter_map(move |event| future::ready(noting.note(event).then_some(())));
    (nodes, changes)
}

/// What matters of a node for placing workers. The rest changes every few minutes, and is large.
fn essence(node: Node) -> Node {
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
