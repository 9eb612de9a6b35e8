//! Events: what changed, for whoever reads `kubectl describe`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::conditions::READY;
use crate::crd::PipelineStatus;

/// Something that happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct News {
    /// Whether a person should look at it.
    pub warns: bool,
    /// In a word.
    pub reason: String,
    /// In a sentence.
    pub note: String,
    /// What the operator did, in a word.
    pub action: &'static str,
}

/// What is new in a status.
pub fn news(before: &PipelineStatus, after: &PipelineStatus) -> Vec<News> {
    let mut news: Vec<_> = after
        .conditions
        .iter()
        .filter_map(|now| changed(before, now))
        .collect();
    news.extend(scaled(before, after));
    news
}

/// A condition that is another one than before. Of all that can be well, only the workers' being ready is news.
fn changed(before: &PipelineStatus, now: &Condition) -> Option<News> {
    let then = before.conditions.iter().find(|it| it.type_ == now.type_);
    let is_same = then.is_some_and(|then| then.status == now.status && then.reason == now.reason);
    let is_well = now.status == "True";
    let was_well = then.is_none_or(|then| then.status == "True");
    let is_worth_it = match (is_well, was_well) {
        (true, true) => false,
        (true, false) => true,
        // On the way up or down nobody need look.
        (false, _) => !matches!(now.reason.as_str(), "Starting" | "Deleting"),
    };
    (!is_same && is_worth_it).then(|| News {
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

fn scaled(before: &PipelineStatus, after: &PipelineStatus) -> Option<News> {
    let (from, to) = (before.wanted_replicas.unwrap_or(0), after.wanted_replicas?);
    (from != to).then(|| News {
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
