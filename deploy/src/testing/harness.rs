//! A harness: one operator in one namespace, with a fake cluster, a fake store and fake workers.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobRecord;
use drover_shared::queue::Link;
use drover_shared::store::StoreError;
use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{self, store::Writer};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use crate::crd::Pipeline;
use crate::health::Health;
use crate::job_store::{JobBacklog, JobStore, JobStoreError};
use crate::operator::{
    Context, FailureCounts, Nodes, OperatorError, RegisteredNames, find_earlier, reconcile,
    unregister_orphans,
};
use crate::testing::FakeApi;
use crate::testing::workers;
use crate::worker_probe::{WorkerLoad, WorkerProbe};

const PIPELINES: &str = "/apis/drover.dev/v1alpha1/namespaces/farm/pipelines";
const PODS: &str = "/api/v1/namespaces/farm/pods";

/// The content of the fake store.
#[derive(Default)]
pub(crate) struct FakeStoreState {
    pub(crate) registered: BTreeMap<PipelineName, Value>,
    pub(crate) backlog: BTreeMap<PipelineName, JobBacklog>,
    /// True if stopped jobs never finish.
    pub(crate) jobs_never_end: bool,
    pub(crate) unreachable: bool,
    /// Datums that need a large worker.
    pub(crate) in_need: u64,
    /// Pods whose container was killed for want of memory.
    pub(crate) out_of_memory: BTreeSet<String>,
}

#[derive(Clone, Default)]
pub(crate) struct FakeJobStore(pub(crate) Arc<Mutex<FakeStoreState>>);

impl FakeJobStore {
    fn reach(&self) -> Result<std::sync::MutexGuard<'_, FakeStoreState>, JobStoreError> {
        let store = self.0.lock().unwrap();
        if store.unreachable {
            return Err(JobStoreError::Store(StoreError::Unavailable {
                key: "drover".parse().unwrap(),
                source: "no route to the bucket".into(),
            }));
        }
        Ok(store)
    }
}

#[async_trait]
impl JobStore for FakeJobStore {
    async fn register(&self, pipeline: &PipelineName, spec: &Value) -> Result<(), JobStoreError> {
        self.reach()?
            .registered
            .insert(pipeline.clone(), spec.clone());
        Ok(())
    }

    async fn unregister(&self, pipeline: &PipelineName) -> Result<u64, JobStoreError> {
        let mut store = self.reach()?;
        store.registered.remove(pipeline);
        let open = store
            .backlog
            .get(pipeline)
            .map_or(0, |work| work.unfinished_jobs);
        if !store.jobs_never_end {
            store.backlog.remove(pipeline);
        }
        Ok(open)
    }

    async fn registered(&self) -> Result<Vec<PipelineName>, JobStoreError> {
        Ok(self.reach()?.registered.keys().cloned().collect())
    }

    async fn in_need(&self, _: &PipelineName) -> Result<u64, JobStoreError> {
        Ok(self.reach()?.in_need)
    }

    async fn note_out_of_memory(
        &self,
        _: &PipelineName,
        killed: &[(String, RangeInclusive<Timestamp>)],
    ) -> Result<(), JobStoreError> {
        let pods = killed.iter().map(|(pod, _)| pod.clone());
        self.reach()?.out_of_memory.extend(pods);
        Ok(())
    }

    async fn backlog(
        &self,
        pipeline: &PipelineName,
        _: Option<JobId>,
    ) -> Result<JobBacklog, JobStoreError> {
        Ok(self
            .reach()?
            .backlog
            .get(pipeline)
            .cloned()
            .unwrap_or_default())
    }
}

/// Fake workers: the addresses of busy workers, and the addresses of workers that do not answer.
#[derive(Clone, Default)]
struct FakeWorkerProbe(Arc<Mutex<(BTreeSet<IpAddr>, BTreeSet<IpAddr>)>>);

#[async_trait]
impl WorkerProbe for FakeWorkerProbe {
    async fn load(&self, address: IpAddr) -> WorkerLoad {
        let (busy, mute) = &*self.0.lock().unwrap();
        match (mute.contains(&address), busy.contains(&address)) {
            (true, _) => WorkerLoad::Unknown,
            (false, true) => WorkerLoad::Busy,
            (false, false) => WorkerLoad::Idle {
                since: Duration::MAX,
            },
        }
    }
}

/// The test harness.
pub(crate) struct Harness {
    pub(crate) cluster: FakeApi,
    pub(crate) job_store: FakeJobStore,
    pub(crate) health: Arc<Health>,
    pub(crate) link: Arc<Mutex<Link>>,
    worker_probe: FakeWorkerProbe,
    nodes: Arc<Mutex<Nodes>>,
}

impl Harness {
    pub(crate) fn new() -> Self {
        Self {
            cluster: FakeApi::default(),
            job_store: FakeJobStore::default(),
            health: Arc::default(),
            link: Arc::new(Mutex::new(Link::Up)),
            worker_probe: FakeWorkerProbe::default(),
            nodes: Arc::default(),
        }
    }

    /// Taints the node of the worker with the number, the only known node.
    pub(crate) fn taint_node_of(&self, number: u8, key: &str) {
        let taint = json!({ "key": key, "effect": "NoSchedule" });
        let node =
            json!({ "metadata": { "name": node_name(number) }, "spec": { "taints": [taint] } });
        *self.nodes.lock().unwrap() = Nodes::of([serde_json::from_value(node).unwrap()]);
    }

    /// A harness with one pipeline, after the operator has settled.
    pub(crate) async fn with(fields: Value) -> Self {
        let harness = Self::new();
        harness.apply("thumbs", fields);
        harness.settle("thumbs").await;
        harness.cluster.requests();
        harness
    }

    /// The resource of a user with the fields.
    fn resource(name: &str, fields: &Value) -> Value {
        let mut spec = json!({
            "transform": { "image": "convert:1", "cmd": ["convert"] },
            "input": { "pfs": { "repo": "photos", "glob": "/*" } },
        });
        json_patch::merge(&mut spec, fields);
        json!({
            "apiVersion": "drover.dev/v1alpha1",
            "kind": "Pipeline",
            "metadata": { "name": name, "namespace": "farm" },
            "spec": spec,
        })
    }

    /// Applies a pipeline as a user does. Fails with the message of the API server's refusal.
    pub(crate) fn try_to_apply(&self, name: &str, fields: &Value) -> Result<Value, String> {
        let path = format!("{PIPELINES}/{name}?fieldManager=user");
        let apply = "application/apply-patch+yaml";
        self.cluster
            .send("PATCH", &path, apply, &Self::resource(name, fields))
    }

    /// Scales a pipeline as `kubectl scale` does. Fails with the message of the API server's refusal.
    pub(crate) fn scale(&self, name: &str, replicas: i64) -> Result<Value, String> {
        let scale = format!("{PIPELINES}/{name}/scale");
        let patch = json!({ "spec": { "replicas": replicas } });
        self.cluster
            .send("PATCH", &scale, "application/merge-patch+json", &patch)
    }

    /// Stores a pipeline without validation, like a resource from before the definition.
    pub(crate) fn apply(&self, name: &str, fields: impl Borrow<Value>) {
        let mut resource = Self::resource(name, fields.borrow());
        if self.cluster.object("pipelines", name).is_some() {
            let spec = resource["spec"].take();
            return self
                .cluster
                .change("pipelines", name, |stored| stored["spec"] = spec);
        }
        let created = format!(
            "2026-01-01T00:00:{:02}Z",
            self.cluster.objects("pipelines").len()
        );
        resource["metadata"]["creationTimestamp"] = json!(created);
        self.cluster.put(PIPELINES, resource);
    }

    /// Deletes a pipeline, as a user would; the resource disappears unless it has a finalizer.
    pub(crate) fn delete(&self, name: &str, when: &str) {
        self.cluster.change("pipelines", name, |resource| {
            resource["metadata"]["deletionTimestamp"] = json!(when);
        });
    }

    /// Sets the number of unfinished jobs and of outstanding datums.
    pub(crate) fn set_backlog(&self, unfinished_jobs: u64, outstanding: u64) {
        let work = JobBacklog {
            unfinished_jobs,
            outstanding,
            last_job: None,
        };
        let mut store = self.job_store.0.lock().unwrap();
        store.backlog.insert("thumbs".parse().unwrap(), work);
    }

    /// Sets the last job; all jobs are finished.
    pub(crate) fn set_last_job(&self, record: JobRecord) {
        let backlog = JobBacklog {
            last_job: Some(record),
            ..JobBacklog::default()
        };
        let mut store = self.job_store.0.lock().unwrap();
        store.backlog.insert("thumbs".parse().unwrap(), backlog);
    }

    /// Creates `count` ready pods, as the Deployment's controller would; `busy` lists the numbers of busy workers.
    pub(crate) fn pods(&self, count: u8, busy: &[u8]) {
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
        self.make_busy(busy);
    }

    /// Makes exactly the workers with the numbers busy.
    pub(crate) fn make_busy(&self, busy: &[u8]) {
        self.worker_probe.0.lock().unwrap().0 =
            busy.iter().map(|number| address(*number)).collect();
    }

    /// Makes the workers with these numbers unresponsive.
    pub(crate) fn mute(&self, mute: &[u8]) {
        self.worker_probe.0.lock().unwrap().1 =
            mute.iter().map(|number| address(*number)).collect();
    }

    /// Creates one pod with this status.
    pub(crate) fn pod_in(&self, status: Value) {
        self.cluster.put(PODS, pod(0, status));
    }

    /// Reconciles a pipeline once with a new operator.
    pub(crate) async fn look(&self, name: &str) -> Result<Action, OperatorError> {
        let Some(resource) = self.cluster.object("pipelines", name) else {
            return Ok(Action::await_change());
        };
        let resource: Pipeline = serde_json::from_value(resource).unwrap();
        Box::pin(reconcile(
            Arc::new(resource),
            Arc::new(self.operator_context()),
        ))
        .await
    }

    /// Removes pipelines without a resource with a new operator.
    pub(crate) async fn sweep(&self) -> Result<(), JobStoreError> {
        let context = self.operator_context();
        find_earlier(&context).await?;
        unregister_orphans(&context).await
    }

    /// Reconciles until nothing changes any more.
    pub(crate) async fn settle(&self, name: &str) {
        for _ in 0..10 {
            let before = self.cluster.picture();
            let _ = self.look(name).await;
            if self.cluster.picture() == before {
                return;
            }
        }
        panic!("it does not come to rest: {:#}", self.cluster.picture());
    }

    fn operator_context(&self) -> Context {
        self.context(self.pipeline_store(), self.nodes.lock().unwrap().clone())
    }

    /// The context of an operator with the given pipelines and nodes.
    pub(crate) fn context(&self, pipelines: reflector::Store<Pipeline>, nodes: Nodes) -> Context {
        let client = self.cluster.client();
        let reporter = Reporter {
            controller: "drover-operator".to_owned(),
            instance: Some("me".to_owned()),
        };
        Context {
            job_store: Arc::new(self.job_store.clone()),
            worker_probe: Arc::new(self.worker_probe.clone()),
            link: {
                let link = Arc::clone(&self.link);
                Box::new(move || link.lock().unwrap().clone())
            },
            workers: workers(),
            nodes,
            pipelines,
            recorder: Recorder::new(client.clone(), reporter),
            health: Arc::clone(&self.health),
            registered: RegisteredNames::default(),
            failures: FailureCounts::default(),
            client,
        }
    }

    /// The store of pipelines, filled as by a watch.
    fn pipeline_store(&self) -> reflector::Store<Pipeline> {
        let mut writer = Writer::default();
        writer.apply_watcher_event(&Event::Init);
        for resource in self.cluster.objects("pipelines") {
            let resource = serde_json::from_value(resource).unwrap();
            writer.apply_watcher_event(&Event::InitApply(resource));
        }
        writer.apply_watcher_event(&Event::InitDone);
        writer.as_reader()
    }

    /// The desired workers in the Deployment.
    pub(crate) fn replicas(&self) -> Option<u64> {
        self.cluster.object("deployments", "drover-thumbs")?["spec"]["replicas"].as_u64()
    }

    /// The pipeline's status.
    pub(crate) fn status(&self, name: &str) -> Value {
        self.cluster.object("pipelines", name).unwrap()["status"].clone()
    }

    /// A condition, as `status reason: message`.
    pub(crate) fn condition(&self, name: &str, kind: &str) -> String {
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

    /// The requests since the last call, one a line; GET requests only if `reading`.
    pub(crate) fn requests(&self, reading: bool) -> String {
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
        "spec": { "nodeName": node_name(number), "containers": [] },
        "status": status,
    })
}

fn node_name(number: u8) -> String {
    format!("node-{number}")
}
