//! Explains each repeated execution by the fault that caused it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::journal::Begin;
use super::long_job;

/// A run may begin this long, in seconds, after the harm that lost its claim.
const LATE: f64 = 2.0;

/// The same for a long datum whose message was published twice, as the confirmation of the first was lost: each copy waits at
/// a worker whose slots are full, for the length of up to two long datums.
const LATE_COPY: f64 = 125.0;

/// Reasons why a worker loses its runs or claims.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum HarmKind {
    Killed,
    Terminated,
    Frozen,
    Disconnected,
    BrokerLost,
    JobStopped,
    /// A way broke: messages that its workers held, and messages without a confirmation, come a second time.
    Requeued,
}

/// Harm to a worker, or to all of them, from its begin to its end, in seconds.
#[derive(Clone, Debug)]
pub(super) struct Harm {
    pub(super) kind: HarmKind,
    pub(super) worker: Option<String>,
    pub(super) from: f64,
    /// Infinite until the harm has ended.
    pub(super) until: f64,
}

/// A run of what had begun before.
#[derive(Debug)]
pub(super) struct Repetition<'a> {
    before: &'a Begin,
    again: &'a Begin,
    /// The harm that befell the worker of the earlier run.
    pub(super) harm: Option<&'a Harm>,
}

impl Harm {
    /// Harm of a moment.
    pub(super) fn at(kind: HarmKind, worker: Option<String>, moment: f64) -> Self {
        Self {
            kind,
            worker,
            from: moment,
            until: moment,
        }
    }

    fn explains(&self, before: &Begin, again: &Begin) -> bool {
        let worker = self.worker.as_ref();
        let is_its = worker.is_none_or(|worker| *worker == before.worker);
        let is_copy = self.kind == HarmKind::Requeued && long_job::is_long(&before.content);
        let late = if is_copy { LATE_COPY } else { LATE };
        is_its && self.from <= again.at && self.until + late >= before.at
    }
}

/// All repetitions, in their order. Harm to the worker alone explains better than harm to all.
pub(super) fn repetitions<'a>(begins: &'a [Begin], harms: &'a [Harm]) -> Vec<Repetition<'a>> {
    let mut last: HashMap<&str, &Begin> = HashMap::new();
    let mut all = Vec::new();
    for again in begins {
        if let Some(before) = last.insert(&again.content, again) {
            let fits = harms.iter().filter(|harm| harm.explains(before, again));
            let harm = fits.min_by_key(|harm| (harm.worker.is_none(), harm.kind));
            all.push(Repetition {
                before,
                again,
                harm,
            });
        }
    }
    all
}

/// How many repetitions each kind of harm explains.
pub(super) fn by_kind(repetitions: &[Repetition<'_>]) -> BTreeMap<Option<HarmKind>, usize> {
    let mut counts = BTreeMap::new();
    for repetition in repetitions {
        *counts
            .entry(repetition.harm.map(|harm| harm.kind))
            .or_default() += 1;
    }
    counts
}

impl fmt::Display for Repetition<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            before,
            again,
            harm,
        } = self;
        write!(
            out,
            "repeated: {} on {} at {:.1} after {} at {:.1}: ",
            again.content, again.worker, again.at, before.worker, before.at
        )?;
        match harm {
            Some(harm) => write!(out, "{:?} at {:.1}", harm.kind, harm.from),
            None => write!(out, "NOT EXPLAINED"),
        }
    }
}

#[test]
fn only_harm_to_the_worker_during_its_run_explains_a_repetition() {
    let begin = |content: &str, worker: &str, at| Begin {
        content: content.to_owned(),
        worker: worker.to_owned(),
        at,
    };
    let begins = [
        begin("a", "one", 10.0),
        begin("b", "two", 10.0),
        begin("a", "two", 20.0),
        begin("b", "one", 20.0),
        begin("a", "one", 30.0),
        begin("long-1", "one", 200.0),
        begin("long-1", "two", 230.0),
        begin("c", "one", 200.0),
        begin("c", "two", 230.0),
    ];
    let harms = [
        Harm::at(HarmKind::Killed, Some("one".to_owned()), 15.0),
        Harm::at(HarmKind::BrokerLost, None, 25.0),
        Harm::at(HarmKind::Requeued, None, 100.0),
    ];
    let explained = repetitions(&begins, &harms);
    let kinds: Vec<_> = explained
        .iter()
        .map(|each| each.harm.map(|harm| harm.kind))
        .collect();
    let expected = [
        Some(HarmKind::Killed),
        None,
        Some(HarmKind::BrokerLost),
        Some(HarmKind::Requeued),
        None,
    ];
    assert_eq!(kinds, expected);
}
