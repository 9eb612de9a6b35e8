//! How long things took.

use std::fmt;

use super::journal::{self, Begin};
use super::long_job;
use super::repetitions::{Harm, HarmKind};

/// Notes of the running scenario.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Datums that killed workers ran, and the times of the kills.
    pub(super) cut_off: Vec<(String, f64)>,
    /// When the broker, or a way to it, was well again.
    pub(super) mended: Vec<f64>,
    /// When a job was published: what is idle until then is not slow to recover.
    pub(super) published: Vec<f64>,
    /// What befell the workers.
    pub(super) harms: Vec<Harm>,
}

impl Notes {
    /// Notes harm of this moment to a worker, or to all.
    pub(super) fn harm(&mut self, kind: HarmKind, worker: Option<String>) {
        self.harms.push(Harm::at(kind, worker, journal::now()));
    }

    /// Notes harm to a worker, or to all, that goes on.
    pub(super) fn begin_harm(&mut self, kind: HarmKind, worker: Option<String>) {
        let from = journal::now();
        self.harms.push(Harm {
            kind,
            worker,
            from,
            until: f64::INFINITY,
        });
    }

    /// Ends the harm of a kind to a worker, or to all.
    pub(super) fn end_harm(&mut self, kind: HarmKind, worker: Option<&str>) {
        let now = journal::now();
        let is_its = |harm: &&mut Harm| harm.kind == kind && harm.worker.as_deref() == worker;
        for harm in self.harms.iter_mut().filter(is_its) {
            harm.until = harm.until.min(now);
        }
    }

    /// How often a worker was killed while it ran a datum.
    pub(super) fn deaths(&self, content: &str) -> usize {
        let deaths = self.cut_off.iter();
        deaths.filter(|(killed, _)| killed == content).count()
    }
}

/// The outcome.
#[derive(Debug)]
pub(super) struct Figures {
    /// From the kill of a worker to the next begin of a short datum that it ran.
    redelivery: Spread,
    /// From the mending of the broker or of a way to it to the next begin of anything.
    recovery: Spread,
    /// Begins of what had begun before.
    duplicates: usize,
}

impl Figures {
    pub(super) fn of(notes: &Notes, begins: &[Begin], contents: usize) -> Self {
        let next = |content: &str, after: f64| {
            let mut later = begins.iter().filter(|begin| begin.at >= after);
            let next = later.find(|begin| begin.content == content)?;
            Some(next.at - after)
        };
        // A long datum waits for a slot, as all slots for long datums are busy.
        let cut_off = notes.cut_off.iter();
        let redelivery = cut_off.filter(|(content, _)| !long_job::is_long(content));
        let redelivery = redelivery.filter_map(|(content, killed)| next(content, *killed));
        let recovery = notes.mended.iter().filter_map(|mended| {
            let next = begins.iter().find(|begin| begin.at >= *mended)?.at;
            let idle = notes
                .published
                .iter()
                .any(|at| (*mended..next).contains(at));
            (!idle).then_some(next - mended)
        });
        Self {
            redelivery: redelivery.collect(),
            recovery: recovery.collect(),
            duplicates: begins.len() - contents,
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            redelivery,
            recovery,
            duplicates,
        } = self;
        write!(
            out,
            "redelivery {redelivery}; recovery {recovery}; {duplicates} executions were repetitions"
        )
    }
}

/// Median and maximum of some times, in seconds.
#[derive(Debug)]
struct Spread(Vec<f64>);

impl FromIterator<f64> for Spread {
    fn from_iter<I: IntoIterator<Item = f64>>(times: I) -> Self {
        let mut times: Vec<_> = times.into_iter().collect();
        times.sort_by(f64::total_cmp);
        Self(times)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(times) = self;
        match (times.get(times.len() / 2), times.last()) {
            (Some(median), Some(most)) => {
                let of = times.len();
                write!(out, "median {median:.2} s, max {most:.2} s of {of}")
            }
            _ => write!(out, "not seen"),
        }
    }
}
