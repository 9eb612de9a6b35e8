//! A namespace with one operator, and everything around it pretended.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::queue::Link;
use drover_shared::store::StoreError;
use kube::runtime::controller::Action;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{self, store::Writer};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use crate::books::{Books, BooksError, Work};
use crate::crd::Pipeline;
use crate::crew::Crew;
use crate::double::Cluster;
use crate::operator::{Context, Failures, Nodes, OperatorError, reconcile};
use crate::samples::workers;

const PIPELINES: &str = "/apis/drover.dev/v1alpha1/namespaces/farm/pipelines";
const PODS: &str = "/api/v1/namespaces/farm/pods";

/// A store that is only pretended.
#[derive(Default)]
pub(super) struct Store {
    pub(super) standing: BTreeMap<PipelineName, Value>,
    pub(super) work: BTreeMap<PipelineName, Work>,
    /// Nobody ends jobs that are asked to stop.
    pub(super) unattended: bool,
    pub(super) lost: bool,
}

#[derive(Clone, Default)]
pub(super) struct PretendedBooks(pub(super) Arc<Mutex<Store>>);

impl PretendedBooks {
    fn reach(&self) -> Result<std::sync::MutexGuard<'_, Store>, BooksError> {
        let store = self.0.lock().unwrap();
        if store.lost {
            return Err(BooksError::Store(StoreError::Unavailable {
                key: "drover".parse().unwrap(),
                source: "no route to the bucket".into(),
            }));
        }
        Ok(store)
    }
}

#[async_trait]
impl Books for PretendedBooks {
    async fn stand(&self, pipeline: &PipelineName, spec: &Value) -> Result<(), BooksError> {
        self.reach()?
            .standing
            .insert(pipeline.clone(), spec.clone());
        Ok(())
    }

    async fn fell(&self, pipeline: &PipelineName) -> Result<u64, BooksError> {
        let mut store = self.reach()?;
        store.standing.remove(pipeline);
        let open = store
            .work
            .get(pipeline)
            .map_or(0, |work| work.unfinished_jobs);
        if !store.unattended {
            store.work.remove(pipeline);
        }
        Ok(open)
    }

    async fn work(&self, pipeline: &PipelineName, _: Option<JobId>) -> Result<Work, BooksError> {
        Ok(self
            .reach()?
            .work
            .get(pipeline)
            .cloned()
            .unwrap_or_default())
    }
}

/// Workers that are only pretended; the addresses of those at a datum, and of those that say nothing.
#[derive(Clone, Default)]
struct PretendedCrew(Arc<Mutex<(BTreeSet<IpAddr>, BTreeSet<IpAddr>)>>);

#[async_trait]
impl Crew for PretendedCrew {
    async fn is_busy(&self, address: IpAddr) -> Option<bool> {
        let (busy, mute) = &*self.0.lock().unwrap();
        (!mute.contains(&address)).then(|| busy.contains(&address))
    }
}

/// The whole of it.
pub(super) struct Farm {
    pub(super) cluster: Cluster,
    pub(super) books: PretendedBooks,
    crew: PretendedCrew,
}

impl Farm {
    pub(super) fn new() -> Self {
        Self {
            cluster: Cluster::default(),
            books: PretendedBooks::default(),
            crew: PretendedCrew::default(),
        }
    }

    /// A farm with a pipeline, after its operator has come to rest.
    pub(super) async fn with(fields: Value) -> Self {
        let farm = Self::new();
        farm.apply("thumbs", fields);
        farm.settle("thumbs").await;
        farm.cluster.requests();
        farm
    }

    /// Somebody applies a pipeline.
    pub(super) fn apply(&self, name: &str, fields: impl Borrow<Value>) {
        let mut spec = json!({
            "transform": { "image": "convert:1", "cmd": ["convert"] },
            "input": { "pfs": { "repo": "photos", "glob": "/*" } },
        });
        json_patch::merge(&mut spec, fields.borrow());
        if self.cluster.object("pipelines", name).is_some() {
            return self
                .cluster
                .change("pipelines", name, |resource| resource["spec"] = spec);
        }
        let created = format!(
            "2026-01-01T00:00:{:02}Z",
            self.cluster.objects("pipelines").len()
        );
        self.cluster.put(
            PIPELINES,
            json!({
                "apiVersion": "drover.dev/v1alpha1",
                "kind": "Pipeline",
                "metadata": { "name": name, "namespace": "farm", "creationTimestamp": created },
                "spec": spec,
            }),
        );
    }

    /// Somebody deletes a pipeline; it goes once its finalizer does.
    pub(super) fn delete(&self, name: &str, when: &str) {
        self.cluster.change("pipelines", name, |resource| {
            resource["metadata"]["deletionTimestamp"] = json!(when);
        });
    }

    /// So many jobs are unfinished, with so many datums still to be done.
    pub(super) fn work(&self, unfinished_jobs: u64, outstanding: u64) {
        let work = Work {
            unfinished_jobs,
            outstanding,
            last_job: None,
        };
        let mut store = self.books.0.lock().unwrap();
        store.work.insert("thumbs".parse().unwrap(), work);
    }

    /// The Deployment's controller has made so many pods, and all of them are ready; those of these numbers are busy.
    pub(super) fn pods(&self, count: u8, busy: &[u8]) {
        for number in 0..count {
            self.cluster.put(
                PODS,
                pod(
                    number,
                    json!({ "conditions": [{ "type": "Ready", "status": "True" }] }),
                ),
            );
        }
        self.cluster
            .change("deployments", "drover-thumbs", |deployment| {
                deployment["status"] = json!({ "replicas": count, "readyReplicas": count });
            });
        self.crew.0.lock().unwrap().0 = busy.iter().map(|number| address(*number)).collect();
    }

    /// Those of these numbers do not answer.
    pub(super) fn mute(&self, mute: &[u8]) {
        self.crew.0.lock().unwrap().1 = mute.iter().map(|number| address(*number)).collect();
    }

    /// One pod that is in this state.
    pub(super) fn pod_in(&self, status: Value) {
        self.cluster.put(PODS, pod(0, status));
    }

    /// A new operator looks once at a pipeline.
    pub(super) async fn look(&self, name: &str) -> Result<Action, OperatorError> {
        let Some(resource) = self.cluster.object("pipelines", name) else {
            return Ok(Action::await_change());
        };
        let resource: Pipeline = serde_json::from_value(resource).unwrap();
        Box::pin(reconcile(Arc::new(resource), Arc::new(self.operator()))).await
    }

    /// Looks until nothing changes any more.
    pub(super) async fn settle(&self, name: &str) {
        for _ in 0..10 {
            let before = self.cluster.picture();
            let _ = self.look(name).await;
            if self.cluster.picture() == before {
                return;
            }
        }
        panic!("it does not come to rest: {:#}", self.cluster.picture());
    }

    fn operator(&self) -> Context {
        self.context(self.known(), Nodes::default())
    }

    /// What an operator needs that knows these pipelines and these nodes.
    pub(super) fn context(&self, pipelines: reflector::Store<Pipeline>, nodes: Nodes) -> Context {
        let client = self.cluster.client();
        let reporter = Reporter {
            controller: "drover-operator".to_owned(),
            instance: Some("me".to_owned()),
        };
        Context {
            books: Arc::new(self.books.clone()),
            crew: Arc::new(self.crew.clone()),
            link: Box::new(|| Link::Up),
            workers: workers(),
            nodes,
            pipelines,
            recorder: Recorder::new(client.clone(), reporter),
            failures: Failures::default(),
            client,
        }
    }

    /// All pipelines, as a watch would have told of them.
    fn known(&self) -> reflector::Store<Pipeline> {
        let mut writer = Writer::default();
        writer.apply_watcher_event(&Event::Init);
        for resource in self.cluster.objects("pipelines") {
            let resource = serde_json::from_value(resource).unwrap();
            writer.apply_watcher_event(&Event::InitApply(resource));
        }
        writer.apply_watcher_event(&Event::InitDone);
        writer.as_reader()
    }

    /// How many workers the Deployment wants.
    pub(super) fn replicas(&self) -> Option<u64> {
        self.cluster.object("deployments", "drover-thumbs")?["spec"]["replicas"].as_u64()
    }

    /// The pipeline's status.
    pub(super) fn status(&self, name: &str) -> Value {
        self.cluster.object("pipelines", name).unwrap()["status"].clone()
    }

    /// A condition, as `status reason: message`.
    pub(super) fn condition(&self, name: &str, kind: &str) -> String {
        let status = self.status(name);
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let condition = conditions.iter().find(|it| it["type"] == kind);
        let text = |condition: &Value, field: &str| condition[field].as_str().unwrap().to_owned();
        condition.map_or_else(String::new, |condition| {
            let [status, reason, message] =
                ["status", "reason", "message"].map(|field| text(condition, field));
            format!("{status} {reason}: {message}")
        })
    }

    /// The requests since the last time, a line each; reading ones only if asked for.
    pub(super) fn requests(&self, reading: bool) -> String {
        let requests = self.cluster.requests();
        let mut lines = String::new();
        for request in requests.iter().filter(|it| reading || it.method != "GET") {
            let events = request.kind() == "events";
            let note =
                events.then(|| format!(": {} {}", request.body["type"], request.body["reason"]));
            lines.extend([
                request.to_string(),
                note.unwrap_or_default(),
                "
"
                .to_owned(),
            ]);
        }
        lines
    }
}

fn address(number: u8) -> IpAddr {
    [10, 0, 0, number].into()
}

fn pod(number: u8, mut status: Value) -> Value {
    status["podIP"] = json!(address(number));
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("drover-thumbs-{number}"),
            "namespace": "farm",
            "labels": { "app.kubernetes.io/name": "drover-worker", "drover.dev/pipeline": "thumbs" },
        },
        "status": status,
    })
}
