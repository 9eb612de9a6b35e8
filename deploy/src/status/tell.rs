//! The whole status of a pipeline.

use drover_shared::job::JobRecord;
use drover_shared::queue::Link;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::conditions::{ACCEPTED, BROKER_REACHABLE, READY, REGISTERED, Word, conditions};
use super::diagnosis::diagnosis;
use crate::books::Work;
use crate::crd::{LastJob, PipelineStatus};
use crate::plan::{Idle, Plan};

const IN_THE_STORE: &str = "the pipeline stands in the store, where `drover serve` finds it";

/// Why a pipeline is not run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// Its spec is not valid; all findings.
    InvalidSpec(Vec<String>),
    /// Another resource has a pipeline of the same name.
    NameTaken {
        /// The pipeline.
        pipeline: String,
        /// The other resource.
        by: String,
    },
}

/// What there is of a pipeline that is run.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Its Deployment.
    pub deployment: Option<&'a Deployment>,
    /// Its pods.
    pub pods: &'a [Pod],
    /// What is still to be done.
    pub work: &'a Work,
    /// What was decided.
    pub plan: &'a Plan,
    /// Whether the nodes can be looked at, if that matters.
    pub nodes_hidden: bool,
    /// What is good to know about the spec.
    pub notes: &'a [String],
}

/// All that a status is made of.
#[derive(Clone, Copy, Debug)]
pub enum Facts<'a> {
    /// The pipeline is not run.
    Refused(&'a Refusal),
    /// The store does not answer; the workers stay as they are.
    StoreLost(&'a str),
    /// The API server does not take its objects.
    NotTaken(&'a str),
    /// It is run.
    Seen(Seen<'a>),
    /// It is being deleted; so many jobs have not ended yet.
    Ending(u64),
}

/// The status that tells of the facts, after `before`.
pub fn tell(
    facts: &Facts<'_>,
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
    let mut words = match facts {
        Facts::Refused(refusal) => refused(refusal),
        Facts::StoreLost(why) => store_lost(why, before),
        Facts::NotTaken(why) => not_taken(why),
        Facts::Ending(jobs) => ending(*jobs),
        Facts::Seen(seen) => {
            count(&mut status, seen);
            run(seen, &status, now)
        }
    };
    words.push(broker(link));
    status.conditions = conditions(words, &before.conditions, generation, now);
    status
}

fn refused(refusal: &Refusal) -> Vec<Word> {
    let (reason, message) = match refusal {
        Refusal::InvalidSpec(findings) => ("InvalidSpec", findings.join("\n")),
        Refusal::NameTaken { pipeline, by } => (
            "NameTaken",
            format!(
                "the pipeline {pipeline} belongs to the Pipeline {by} of this namespace; give this one another pipeline.name"
            ),
        ),
    };
    let left_alone = "the spec is not accepted; workers of an earlier one stay as they are";
    vec![
        Word::new(ACCEPTED, false, reason, message),
        Word::new(READY, false, reason, left_alone),
    ]
}

fn store_lost(why: &str, before: &PipelineStatus) -> Vec<Word> {
    let message = format!("the store does not answer, so workers stay as they are: {why}");
    let ready = before
        .conditions
        .iter()
        .any(|it| it.type_ == READY && it.status == "True");
    vec![
        Word::new(ACCEPTED, true, "Accepted", "the spec is valid"),
        Word::new(REGISTERED, false, "StoreUnreachable", message.clone()),
        Word::new(READY, ready.then_some(true), "StoreUnreachable", message),
    ]
}

fn not_taken(why: &str) -> Vec<Word> {
    let advice = "workers of an earlier spec stay as they are";
    vec![
        Word::new(ACCEPTED, true, "Accepted", "the spec is valid"),
        Word::new(REGISTERED, true, "Registered", IN_THE_STORE),
        Word::new(READY, false, "ObjectsRefused", format!("{why}; {advice}")),
    ]
}

fn ending(jobs: u64) -> Vec<Word> {
    let message = match jobs {
        0 => "the pipeline is removed from the store".to_owned(),
        jobs => format!("waiting for {jobs} stopped jobs to end; `drover serve` ends them"),
    };
    vec![Word::new(READY, false, "Deleting", message)]
}

fn run(seen: &Seen<'_>, status: &PipelineStatus, now: Timestamp) -> Vec<Word> {
    let mut accepted = "the spec is valid".to_owned();
    for note in seen.notes {
        accepted.push('\n');
        accepted.push_str(note);
    }
    vec![
        Word::new(ACCEPTED, true, "Accepted", accepted),
        Word::new(REGISTERED, true, "Registered", IN_THE_STORE),
        ready(seen, status, now),
    ]
}

fn ready(seen: &Seen<'_>, status: &PipelineStatus, now: Timestamp) -> Word {
    let (there, wanted) = (
        status.ready_replicas.unwrap_or(0),
        status.wanted_replicas.unwrap_or(0),
    );
    let count = format!("{there} of {wanted} workers take datums");
    if wanted == 0 {
        return Word::new(
            READY,
            true,
            "Standby",
            "nothing to do, so there are no workers; a job wakes them",
        );
    }
    if there < wanted {
        let (reason, why) = diagnosis(seen.deployment, seen.pods, now)
            .unwrap_or_else(|| ("Starting", "the others are starting".to_owned()));
        return Word::new(READY, false, reason, format!("{count}: {why}"));
    }
    if seen.nodes_hidden {
        let advice = "nodes can't be listed, so the coefficient is not followed; grant the ClusterRole drover-operator-nodes";
        return Word::new(READY, true, "NodesHidden", format!("{count}; {advice}"));
    }
    let reason = if seen.plan.idle == Idle::Busy {
        "Working"
    } else {
        "Idle"
    };
    Word::new(READY, true, reason, count)
}

fn broker(link: &Link) -> Word {
    match link {
        Link::Up => Word::new(
            BROKER_REACHABLE,
            true,
            "Connected",
            "the operator is connected to the broker",
        ),
        Link::Down { why } => Word::new(
            BROKER_REACHABLE,
            false,
            "Unreachable",
            format!("the broker is out of reach: {why}"),
        ),
        Link::Blocked { why } => Word::new(
            BROKER_REACHABLE,
            false,
            "Blocked",
            format!("the broker takes no messages: {why}"),
        ),
    }
}

fn count(status: &mut PipelineStatus, seen: &Seen<'_>) {
    let deployed = seen
        .deployment
        .and_then(|deployment| deployment.status.as_ref());
    let saturate = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    status.replicas = Some(deployed.and_then(|it| it.replicas).unwrap_or(0));
    status.ready_replicas = Some(deployed.and_then(|it| it.ready_replicas).unwrap_or(0));
    status.wanted_replicas = Some(i32::try_from(seen.plan.replicas).unwrap_or(i32::MAX));
    status.outstanding = Some(saturate(seen.work.outstanding));
    status.unfinished_jobs = Some(saturate(seen.work.unfinished_jobs));
    status.idle_since = match seen.plan.idle {
        Idle::Busy => None,
        // The status keeps whole seconds.
        Idle::Since(since) => Some(Time(
            Timestamp::from_second(since.as_second()).unwrap_or(since),
        )),
    };
    if let Some(record) = &seen.work.last_job {
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
        reason: record.reason.clone().map(super::conditions::shortened),
    }
}
