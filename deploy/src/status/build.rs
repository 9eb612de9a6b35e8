//! Builds the status of a pipeline.

use std::collections::BTreeSet;

use drover_shared::job::{Counts, JobRecord};
use drover_shared::queue::Link;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::conditions::{
    ACCEPTED, BROKER_REACHABLE, ConditionUpdate, JOB_SUCCEEDED, POD_CHANGED, READY, REGISTERED,
    conditions,
};
use super::diagnosis::{Diagnosis, diagnosis};
use crate::crd::{LastJob, PipelineStatus};
use crate::job_store::JobBacklog;
use crate::objects::pods_of;
use crate::plan::{IdleState, ScalingPlan};

const REGISTERED_MESSAGE: &str =
    "the pipeline is registered in the store, where `drover serve` reads it";

/// The reason for refusing a resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SpecRefusal {
    /// The spec is invalid; all findings.
    InvalidSpec(Vec<String>),
    /// Another resource has a pipeline of the same name.
    NameTaken {
        /// The name of the pipeline.
        pipeline: String,
        /// The other resource.
        by: String,
    },
}

/// The observed state of an accepted pipeline.
#[derive(Clone, Copy, Debug)]
pub struct RunningPipeline<'a> {
    /// The resource's name.
    pub name: &'a str,
    /// True if the pipeline is scaled to 0 by hand.
    pub is_paused: bool,
    /// The Deployment.
    pub deployment: Option<&'a Deployment>,
    /// The pods.
    pub pods: &'a [Pod],
    /// The unfinished work.
    pub work: &'a JobBacklog,
    /// The scaling decision.
    pub plan: &'a ScalingPlan,
    /// Desired large workers; `None` if there never were any.
    pub large_replicas: Option<u32>,
    /// Nodes that are not ready.
    pub unready_nodes: &'a BTreeSet<String>,
    /// The state of the connection to the broker.
    pub link: &'a Link,
    /// True if the scaling depends on nodes and the operator may not list them.
    pub nodes_hidden: bool,
    /// True if the user changes the pods with `pod_spec` or `pod_patch`.
    pub pod_is_changed: bool,
    /// Notes about the spec.
    pub notes: &'a [String],
}

/// The outcome of a reconciliation, from which the status is built.
#[derive(Clone, Copy, Debug)]
pub enum ReconcileOutcome<'a> {
    /// The resource is refused.
    Refused(&'a SpecRefusal),
    /// The store does not answer; the workers stay unchanged.
    StoreUnreachable(&'a str),
    /// The API server refuses the objects.
    ObjectsRefused(&'a str),
    /// The pipeline is running.
    Running(RunningPipeline<'a>),
}

/// The status after this outcome, derived from the status `before`.
pub fn pipeline_status(
    outcome: &ReconcileOutcome<'_>,
    link: &Link,
    before: &PipelineStatus,
    generation: Option<i64>,
    now: Timestamp,
) -> PipelineStatus {
    let mut status = PipelineStatus {
        observed_generation: generation,
        conditions: vec![],
        ..before.clone()
    };
    let mut updates = match outcome {
        ReconcileOutcome::Refused(refusal) => refused(refusal),
        ReconcileOutcome::StoreUnreachable(why) => store_unreachable(why, before),
        ReconcileOutcome::ObjectsRefused(why) => objects_refused(why),
        ReconcileOutcome::Running(running) => {
            count(&mut status, running);
            let mut updates = run(running, &status, now);
            updates.extend(status.last_job.as_ref().map(job_succeeded));
            updates.extend(pod_changed(running.pod_is_changed, before));
            updates
        }
    };
    updates.push(broker(link));
    status.conditions = conditions(updates, &before.conditions, generation, now);
    status
}

fn refused(refusal: &SpecRefusal) -> Vec<ConditionUpdate> {
    let (reason, message) = match refusal {
        SpecRefusal::InvalidSpec(findings) => ("InvalidSpec", findings.join("\n")),
        SpecRefusal::NameTaken { pipeline, by } => (
            "NameTaken",
            format!(
                "the pipeline {pipeline} belongs to the Pipeline {by} of this namespace; give this one another pipeline.name"
            ),
        ),
    };
    let left_alone = "the spec is not accepted; workers of an earlier spec stay unchanged";
    vec![
        ConditionUpdate::new(ACCEPTED, false, reason, message),
        ConditionUpdate::new(READY, false, reason, left_alone),
    ]
}

fn store_unreachable(why: &str, before: &PipelineStatus) -> Vec<ConditionUpdate> {
    let message = format!("the store does not answer, so workers stay unchanged: {why}");
    let ready = before
        .conditions
        .iter()
        .any(|it| it.type_ == READY && it.status == "True");
    vec![
        ConditionUpdate::new(ACCEPTED, true, "Accepted", "the spec is valid"),
        ConditionUpdate::new(REGISTERED, false, "StoreUnreachable", message.clone()),
        ConditionUpdate::new(READY, ready.then_some(true), "StoreUnreachable", message),
    ]
}

fn objects_refused(why: &str) -> Vec<ConditionUpdate> {
    let advice = "workers of an earlier spec stay unchanged";
    vec![
        ConditionUpdate::new(ACCEPTED, true, "Accepted", "the spec is valid"),
        ConditionUpdate::new(REGISTERED, true, "Registered", REGISTERED_MESSAGE),
        ConditionUpdate::new(READY, false, "ObjectsRefused", format!("{why}; {advice}")),
    ]
}

fn run(
    running: &RunningPipeline<'_>,
    status: &PipelineStatus,
    now: Timestamp,
) -> Vec<ConditionUpdate> {
    let mut accepted = "the spec is valid".to_owned();
    for note in running.notes {
        accepted.push('\n');
        accepted.push_str(note);
    }
    vec![
        ConditionUpdate::new(ACCEPTED, true, "Accepted", accepted),
        ConditionUpdate::new(REGISTERED, true, "Registered", REGISTERED_MESSAGE),
        ready(running, status, now),
    ]
}

/// Tells of changed pods, and once they are not changed any more.
fn pod_changed(is_changed: bool, before: &PipelineStatus) -> Option<ConditionUpdate> {
    let mut conditions = before.conditions.iter();
    let was_told = conditions.any(|condition| condition.type_ == POD_CHANGED);
    let (reason, message) = match (is_changed, was_told) {
        (true, _) => (
            "AllowPodSpec",
            "pod_spec or pod_patch changes the pods, which --allow-pod-spec of the operator allows; docs/security.md tells of the consequences",
        ),
        (false, true) => ("Unchanged", "the pods are as the operator makes them"),
        (false, false) => return None,
    };
    Some(ConditionUpdate::new(
        POD_CHANGED,
        is_changed,
        reason,
        message,
    ))
}

fn ready(
    running: &RunningPipeline<'_>,
    status: &PipelineStatus,
    now: Timestamp,
) -> ConditionUpdate {
    let (there, desired) = (
        status.ready_replicas.unwrap_or(0),
        status.desired_replicas.unwrap_or(0),
    );
    let count = format!("{there} of {desired} workers are ready");
    if running.is_paused {
        let name = running.name;
        return ConditionUpdate::new(
            READY,
            true,
            "Paused",
            format!(
                "`replicas` is 0, so jobs wait; `kubectl scale pipeline/{name} --replicas=1` goes on"
            ),
        );
    }
    if desired == 0 {
        return ConditionUpdate::new(
            READY,
            true,
            "Standby",
            "no job is unfinished, so there are no workers; the next job starts them",
        );
    }
    if there < desired {
        let (reason, why) = diagnosis(running.deployment, running.pods, running.unready_nodes, now)
            .or_else(|| broker_down(running.link))
            .unwrap_or_else(|| ("Starting", "the other workers are starting".to_owned()));
        return ConditionUpdate::new(READY, false, reason, format!("{count}: {why}"));
    }
    if running.nodes_hidden {
        let advice = "nodes can't be listed, so the coefficient is not followed; grant the ClusterRole drover-operator-nodes";
        return ConditionUpdate::new(READY, true, "NodesHidden", format!("{count}; {advice}"));
    }
    let reason = if running.plan.idle == IdleState::Busy {
        "Working"
    } else {
        "Idle"
    };
    ConditionUpdate::new(READY, true, reason, count)
}

/// Workers do not become ready without the broker.
fn broker_down(link: &Link) -> Option<Diagnosis> {
    match link {
        Link::Down { why } => Some((
            "BrokerUnreachable",
            format!("workers wait for the broker, which is unreachable: {why}"),
        )),
        Link::Up | Link::Blocked { .. } => None,
    }
}

/// How the last job ended.
fn job_succeeded(job: &LastJob) -> ConditionUpdate {
    let id = &job.id;
    let why = job.reason.as_deref().unwrap_or("no reason was recorded");
    let drover = "kubectl exec deployment/drover-service -- /drover";
    let (holds, reason, message) = match job.state.as_str() {
        "success" => (Some(true), "JobSucceeded", format!("job {id} succeeded")),
        "failure" => (
            Some(false),
            "JobFailed",
            format!(
                "job {id} failed: {why}; `{drover} explain {id}` tells more, `{drover} retry {id}` runs the failed datums again"
            ),
        ),
        "killed" => (
            Some(false),
            "JobStopped",
            format!("job {id} was stopped: {why}; `{drover} retry {id}` runs the remaining datums"),
        ),
        state => (None, "JobUnfinished", format!("job {id} is {state}")),
    };
    ConditionUpdate::new(JOB_SUCCEEDED, holds, reason, message)
}

fn broker(link: &Link) -> ConditionUpdate {
    match link {
        Link::Up => ConditionUpdate::new(
            BROKER_REACHABLE,
            true,
            "Connected",
            "the operator is connected to the broker",
        ),
        Link::Down { why } => ConditionUpdate::new(
            BROKER_REACHABLE,
            false,
            "Unreachable",
            format!("the broker is unreachable: {why}"),
        ),
        Link::Blocked { why } => ConditionUpdate::new(
            BROKER_REACHABLE,
            false,
            "Blocked",
            format!("the broker accepts no messages: {why}"),
        ),
    }
}

fn count(status: &mut PipelineStatus, running: &RunningPipeline<'_>) {
    let deployed = running
        .deployment
        .and_then(|deployment| deployment.status.as_ref());
    let saturate = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    status.selector = Some(pods_of(running.name));
    status.replicas = Some(deployed.and_then(|it| it.replicas).unwrap_or(0));
    status.ready_replicas = Some(deployed.and_then(|it| it.ready_replicas).unwrap_or(0));
    status.desired_replicas = Some(i32::try_from(running.plan.replicas).unwrap_or(i32::MAX));
    let large = running.large_replicas;
    status.large_replicas = large.map(|large| i32::try_from(large).unwrap_or(i32::MAX));
    status.outstanding = Some(saturate(running.work.outstanding));
    status.unfinished_jobs = Some(saturate(running.work.unfinished_jobs));
    status.idle_since = match running.plan.idle {
        IdleState::Busy => None,
        // The status has a resolution of one second.
        IdleState::Since(since) => Some(Time(
            Timestamp::from_second(since.as_second()).unwrap_or(since),
        )),
    };
    if let Some(record) = &running.work.last_job {
        status.last_job = Some(last_job(record));
    }
}

fn last_job(record: &JobRecord) -> LastJob {
    LastJob {
        id: record.id.to_string(),
        state: serde_json::to_value(record.state).map_or_else(
            |_| String::new(),
            |word| word.as_str().unwrap_or_default().to_owned(),
        ),
        completions: Some(completions(&record.datums)),
        memory_peak: record.usage.map(|usage| mebibytes(usage.memory_max_bytes)),
        reason: record.reason.clone().map(super::conditions::truncated),
    }
}

/// Bytes in the notation of Kubernetes, rounded up.
fn mebibytes(bytes: u64) -> String {
    format!("{}Mi", bytes.div_ceil(1 << 20))
}

/// Ended datums of all known datums.
fn completions(datums: &Counts) -> String {
    format!("{}/{}", datums.ended(), datums.total)
}
