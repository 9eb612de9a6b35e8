//! Conditions: one for each thing that must hold, with the reason in a word and in a sentence.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

/// The spec is understood and can be made into objects.
pub const ACCEPTED: &str = "Accepted";
/// The pipeline stands in the store, where `drover serve` finds it.
pub const REGISTERED: &str = "Registered";
/// The operator reaches the broker; where it does, workers do as a rule.
pub const BROKER_REACHABLE: &str = "BrokerReachable";
/// As many workers take datums as are wanted.
pub const READY: &str = "Ready";

/// What is said of one thing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Word {
    pub(super) kind: &'static str,
    pub(super) holds: Option<bool>,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Word {
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

/// The most of a message that is kept: what image pulls and admission say can be long.
const LONGEST: usize = 1000;

/// The conditions that say these words; one whose status does not change keeps its time, and one that nothing is said of
/// stays as it was.
pub(super) fn conditions(
    words: Vec<Word>,
    before: &[Condition],
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let condition = |word: Word| {
        let status = match word.holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let same = before
            .iter()
            .find(|it| it.type_ == word.kind && it.status == status);
        Condition {
            type_: word.kind.to_owned(),
            status: status.to_owned(),
            reason: word.reason.to_owned(),
            message: shortened(word.message),
            last_transition_time: same.map_or(Time(now), |same| same.last_transition_time.clone()),
            observed_generation: generation,
        }
    };
    let silent = |it: &&Condition| words.iter().all(|word| word.kind != it.type_);
    let kept: Vec<_> = before.iter().filter(silent).cloned().collect();
    let mut conditions: Vec<_> = words.into_iter().map(condition).collect();
    conditions.extend(kept);
    conditions.sort_by(|one, other| one.type_.cmp(&other.type_));
    conditions
}

/// The beginning of a message that is too long.
pub(super) fn shortened(mut message: String) -> String {
    if message.len() > LONGEST {
        let end = (0..=LONGEST)
            .rev()
            .find(|end| message.is_char_boundary(*end));
        message.truncate(end.unwrap_or_default());
        message.push('…');
    }
    message
}
