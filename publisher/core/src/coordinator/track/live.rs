//! A job as it is known while it runs: what the reports say, and what people are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use drover_shared::datum::Verdict;
use drover_shared::id::{JobId, WorkerId};
use drover_shared::job::{IllegalStep, JobEvent, JobRecord, JobState};
use drover_shared::ledger::Segment;
use drover_shared::wire::{Event, Report};
use jiff::Timestamp;

use super::decide::{Expansion, Facts, decide};
use super::rate::Rate;
use super::tally::{Noted, Tally};
use crate::coordinator::{RunningDatum, Snapshot};

/// A job as it is known while it runs.
#[derive(Debug)]
pub(crate) struct Live {
    record: JobRecord,
    pub(crate) tally: Tally,
    running: BTreeMap<u64, RunningDatum>,
    /// Workers that run nothing of the job any more, since it was stopped.
    let_go: BTreeSet<WorkerId>,
    rate: Rate,
    /// What is known of the work beyond the tally.
    pub(crate) facts: Facts,
}

impl Live {
    /// A job of which `tally` is known already.
    pub(crate) fn new(record: JobRecord, tally: Tally) -> Self {
        let facts = Facts::default();
        Self {
            record,
            tally,
            running: BTreeMap::new(),
            let_go: BTreeSet::new(),
            rate: Rate::default(),
            facts,
        }
    }

    /// A job that another coordinator began. Its last steps are taken again, so it is running once more.
    pub(crate) fn resumed(record: JobRecord, tally: Tally) -> Self {
        let state = match record.state {
            JobState::Publishing | JobState::Egressing => JobState::Running,
            state => state,
        };
        Self::new(JobRecord { state, ..record }, tally)
    }

    /// The job.
    pub(crate) fn job(&self) -> JobId {
        self.record.id
    }

    /// Takes a report in. Returns a segment to be sealed, if it completed one.
    pub(crate) fn note(&mut self, report: Report) -> Option<(Segment, Vec<Verdict>)> {
        match report.event {
            Event::Running {
                index,
                attempt,
                worker,
                since,
            } => {
                if self.running.len() < Snapshot::MOST_RUNNING {
                    self.running.insert(
                        index,
                        RunningDatum {
                            index,
                            attempt,
                            worker,
                            since,
                        },
                    );
                }
                None
            }
            Event::Retrying { index, .. } => {
                self.running.remove(&index);
                None
            }
            Event::LetGo { worker } => {
                self.let_go.insert(worker);
                None
            }
            Event::Ended { verdict, .. } => {
                self.running.remove(&verdict.index);
                self.record.redelivered += u64::from(report.redeliveries > 0);
                self.note_verdict(*verdict)
            }
        }
    }

    /// How many workers run nothing of the job any more, since it was stopped.
    pub(crate) fn let_go(&self) -> u32 {
        u32::try_from(self.let_go.len()).unwrap_or(u32::MAX)
    }

    /// Takes a verdict in. Returns a segment to be sealed, if it completed one.
    pub(crate) fn note_verdict(&mut self, verdict: Verdict) -> Option<(Segment, Vec<Verdict>)> {
        let index = verdict.index;
        match self.tally.note(verdict) {
            Noted::New => None,
            Noted::Complete(segment, verdicts) => Some((segment, verdicts)),
            Noted::Known => {
                self.record.duplicates += 1;
                None
            }
            Noted::Unknown => {
                tracing::warn!(job.id = %self.record.id, datum.index = index, "a report names a datum that the job does not have");
                None
            }
        }
    }

    /// The state after what is known now, if it is another.
    pub(crate) fn advance(&mut self) -> Result<Option<JobEvent>, IllegalStep> {
        let counts = self.tally.counts();
        let facts = Facts {
            known: self.tally.known(),
            outstanding: counts.outstanding(),
            failed: counts.failed,
            ..self.facts
        };
        let event = decide(self.record.state, &facts);
        if let Some(event) = event {
            self.enter(event)?;
        }
        Ok(event)
    }

    /// Moves the job along.
    pub(crate) fn enter(&mut self, event: JobEvent) -> Result<(), IllegalStep> {
        self.record.state = self.record.state.after(event)?;
        let now = Timestamp::now();
        if self.record.started.is_none() {
            self.record.started = Some(now);
        }
        if self.record.state.is_final() && self.record.finished.is_none() {
            self.record.finished = Some(now);
        }
        Ok(())
    }

    /// Says why the job ends as it does. The first reason stays.
    pub(crate) fn give_reason(&mut self, reason: String) {
        self.record.reason.get_or_insert(reason);
    }

    /// `3 of 120 datums failed: exit 1: 'no such column' (2), timeout (1)`.
    pub(crate) fn failure_reason(&self) -> String {
        let counts = self.tally.counts();
        let left = match self.tally.taken().failed {
            0 => String::new(),
            left => format!("; failed before and not run again: {left}"),
        };
        format!(
            "{} of {} datums failed: {}{left}",
            counts.failed,
            counts.total,
            self.tally.failures().summary()
        )
    }

    /// The record as of now.
    pub(crate) fn record(&self) -> JobRecord {
        JobRecord {
            datums: self.tally.counts(),
            stats: self.tally.stats(),
            ..self.record.clone()
        }
    }

    /// The job as of now.
    pub(crate) fn snapshot(&mut self, now: Instant) -> Snapshot {
        let record = self.record();
        let counts = record.datums;
        let running: Vec<RunningDatum> = self.running.values().cloned().collect();
        let busy = u64::try_from(running.len()).unwrap_or(0);
        Snapshot {
            waiting_for_lock: false,
            expanded: self.facts.expansion == Expansion::Complete,
            queued: counts.outstanding().saturating_sub(busy),
            rate: self.rate.note(now, self.tally.worked()),
            running: by_age(running),
            failures: self.tally.failures().clone(),
            files: None,
            record,
        }
    }
}

fn by_age(mut running: Vec<RunningDatum>) -> Vec<RunningDatum> {
    running.sort_by_key(|datum| datum.since);
    running
}
