//! Conditions, each with a reason and a message.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

/// The spec is valid and its objects could be built.
pub const ACCEPTED: &str = "Accepted";
/// The pipeline is registered in the store, where `drover serve` reads it.
pub const REGISTERED: &str = "Registered";
/// The operator is connected to the broker; workers usually are too then.
pub const BROKER_REACHABLE: &str = "BrokerReachable";
/// The last job succeeded.
pub const JOB_SUCCEEDED: &str = "JobSucceeded";
/// `pod_spec` or `pod_patch` changes the pods; only where one of them does or did.
pub(super) const POD_CHANGED: &str = "PodChanged";
/// All desired workers are ready to take datums.
pub const READY: &str = "Ready";

/// A new value of one condition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ConditionUpdate {
    pub(super) kind: &'static str,
    pub(super) holds: Option<bool>,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl ConditionUpdate {
    pub(super) fn new(
        kind: &'static str,
        holds: impl Into<Option<bool>>,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            holds: holds.into(),
            reason,
            message: message.into(),
        }
    }
}

/// Maximum length of a message in bytes; messages of image pulls and admission can be long.
const MAX_MESSAGE_BYTES: usize = 1000;

/// The conditions after these updates. An unchanged status keeps its transition time, and a condition without an update
/// stays unchanged.
pub(super) fn conditions(
    updates: Vec<ConditionUpdate>,
    before: &[Condition],
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let condition = |update: ConditionUpdate| {
        let status = match update.holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let same = before
            .iter()
            .find(|it| it.type_ == update.kind && it.status == status);
        Condition {
            type_: update.kind.to_owned(),
            status: status.to_owned(),
            reason: update.reason.to_owned(),
            message: truncated(update.message),
            last_transition_time: same.map_or(Time(now), |same| same.last_transition_time.clone()),
            observed_generation: generation,
        }
    };
    let silent = |it: &&Condition| updates.iter().all(|update| update.kind != it.type_);
    let kept: Vec<_> = before.iter().filter(silent).cloned().collect();
    let mut conditions: Vec<_> = updates.into_iter().map(condition).collect();
    conditions.extend(kept);
    conditions.sort_by(|one, other| one.type_.cmp(&other.type_));
    conditions
}

/// Cuts a message that is too long.
pub(super) fn truncated(mut message: String) -> String {
    if message.len() > MAX_MESSAGE_BYTES {
        let end = (0..=MAX_MESSAGE_BYTES)
            .rev()
            .find(|end| message.is_char_boundary(*end));
        message.truncate(end.unwrap_or_default());
        message.push('…');
    }
    message
}
