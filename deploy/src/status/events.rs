//! Kubernetes events for changes of the status, shown by `kubectl describe`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::conditions::{JOB_SUCCEEDED, POD_CHANGED, READY};
use crate::crd::PipelineStatus;

/// A Kubernetes event about a pipeline.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PipelineEvent {
    /// True for an event of type `Warning`.
    pub warns: bool,
    /// The reason, in CamelCase.
    pub reason: String,
    /// The message.
    pub note: String,
    /// The operator's action, in CamelCase.
    pub action: &'static str,
}

/// The events between two statuses.
pub fn events(before: &PipelineStatus, after: &PipelineStatus) -> Vec<PipelineEvent> {
    let mut events: Vec<_> = after
        .conditions
        .iter()
        .filter_map(|now| changed(before, now))
        .collect();
    events.extend(scaled(before, after));
    events
}

/// Event for a changed condition; among the initial `True` states only `Ready` is reported.
fn changed(before: &PipelineStatus, now: &Condition) -> Option<PipelineEvent> {
    let then = before.conditions.iter().find(|it| it.type_ == now.type_);
    // Each job has an event of its own, and its message names the job.
    let is_of_same_job =
        |then: &Condition| now.type_ != JOB_SUCCEEDED || then.message == now.message;
    let is_same = then.is_some_and(|then| {
        then.status == now.status && then.reason == now.reason && is_of_same_job(then)
    });
    // Neither state of this condition is a trouble.
    let is_well = now.status == "True" || now.type_ == POD_CHANGED;
    let was_well = then.is_none_or(|then| then.status == "True" || then.type_ == POD_CHANGED);
    let is_worth_it = match (is_well, was_well) {
        (true, true) => false,
        (true, false) => true,
        // A pipeline that is starting or working needs no attention.
        (false, _) => !matches!(now.reason.as_str(), "Starting" | "JobUnfinished"),
    };
    (!is_same && is_worth_it).then(|| PipelineEvent {
        warns: !is_well,
        reason: if is_well && now.type_ != READY {
            now.type_.clone()
        } else {
            now.reason.clone()
        },
        note: now.message.clone(),
        action: "Observe",
    })
}

fn scaled(before: &PipelineStatus, after: &PipelineStatus) -> Option<PipelineEvent> {
    let (from, to) = (
        before.desired_replicas.unwrap_or(0),
        after.desired_replicas?,
    );
    (from != to).then(|| PipelineEvent {
        warns: false,
        reason: if to > from { "ScaledOut" } else { "ScaledIn" }.to_owned(),
        note: format!(
            "from {from} to {to} workers; {} datums of {} jobs are outstanding",
            after.outstanding.unwrap_or(0),
            after.unfinished_jobs.unwrap_or(0)
        ),
        action: "Scale",
    })
}
