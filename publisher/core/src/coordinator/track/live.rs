//! The state of a running job in memory: record, tally, running datums.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use drover_shared::datum::{IndexRanges, Verdict};
use drover_shared::id::{JobId, WorkerId};
use drover_shared::job::{
    Counts, Estimate, FirstDatums, HaltOutcome, InvalidTransition, JobEvent, JobRecord, JobState,
    WholeJob,
};
use drover_shared::ledger::Segment;
use drover_shared::wire::{Event, Report};
use jiff::Timestamp;

use super::decide::{Expansion, WorkState, decide};
use super::early_end::{EarlyEnd, EarlyEndRule, Outcomes};
use super::pace::JobPace;
use super::rate::Rate;
use super::short_datums::ShortDatums;
use super::tally::{Tally, TallyChange};
use crate::coordinator::manifest::redo::Redone;
use crate::coordinator::messages::watch::OpenWork;
use crate::coordinator::{RunningDatum, Snapshot, StopRequest};

/// The largest number of running datums that are told apart.
const MOST_TRACKED: usize = 65_536;

/// State of a running job.
#[derive(Debug)]
pub(crate) struct LiveJob {
    record: JobRecord,
    pub(crate) tally: Tally,
    running: BTreeMap<u64, RunningDatum>,
    /// Workers that released the job after a stop.
    released: BTreeSet<WorkerId>,
    rate: Rate,
    short_datums: ShortDatums,
    /// How long the datums take.
    pub(crate) pace: JobPace,
    /// True if no datum had a verdict before this process followed the job.
    pub(crate) from_start: bool,
    /// When the job ends before its last datum.
    pub(crate) early_end_rule: EarlyEndRule,
    /// The early end that is due; running datums may still go on.
    early_end: Option<EarlyEnd>,
    /// True once no datum runs, of a job that lets datums go on to their end.
    pub(crate) is_idle: bool,
    /// How far the expansion is.
    pub(crate) expansion: Expansion,
    /// Requested stop level.
    pub(crate) stop_request: StopRequest,
}

impl LiveJob {
    /// A job with a tally so far.
    pub(crate) fn new(record: JobRecord, tally: Tally) -> Self {
        Self {
            record,
            from_start: tally.worked() == 0,
            tally,
            running: BTreeMap::new(),
            released: BTreeSet::new(),
            rate: Rate::default(),
            short_datums: ShortDatums::default(),
            pace: JobPace::default(),
            early_end_rule: EarlyEndRule::default(),
            early_end: None,
            is_idle: false,
            expansion: Expansion::default(),
            stop_request: StopRequest::default(),
        }
    }

    /// A job that an earlier leader started. Publication and egress are repeated, so the job is `running` again.
    pub(crate) fn resumed(record: JobRecord, tally: Tally) -> Self {
        let state = match record.state {
            JobState::Publishing | JobState::Egressing => JobState::Running,
            state => state,
        };
        Self::new(JobRecord { state, ..record }, tally)
    }

    /// The job runs only the first datums of a whole.
    pub(crate) fn begin_first_of(&mut self, of: WholeJob) {
        self.record.first = Some(FirstDatums { of, estimate: None });
    }

    /// Sets what the whole job will need, of a job that runs only the first datums.
    pub(crate) fn set_estimate(&mut self, estimate: Option<Estimate>) {
        if let Some(first) = &mut self.record.first {
            first.estimate = estimate;
        }
    }

    pub(crate) fn job(&self) -> JobId {
        self.record.id
    }

    /// Counts a report. Returns a segment to be sealed, if the report completed one.
    pub(crate) fn note(&mut self, report: Report) -> Option<(Segment, Vec<Verdict>)> {
        match report.event {
            Event::Running {
                index,
                attempt,
                worker,
                since,
                ..
            } => {
                if self.running.len() < MOST_TRACKED {
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
            Event::Committed { index, .. } => {
                tracing::warn!(job.id = %self.record.id, datum.index = index, "a report refers to a verdict that is not in the ledger");
                None
            }
            Event::Held { .. } => None,
            Event::Released { worker } => {
                self.released.insert(worker);
                None
            }
            Event::Ended { verdict, .. } => {
                if self.running.remove(&verdict.index).is_none() {
                    self.short_datums.note(&verdict);
                }
                self.record.redelivered += u64::from(report.redeliveries > 0);
                self.note_verdict(*verdict)
            }
        }
    }

    /// Number of workers that released the job after a stop.
    pub(crate) fn released(&self) -> u32 {
        u32::try_from(self.released.len()).unwrap_or(u32::MAX)
    }

    /// Counts a verdict. Returns a segment to be sealed, if the verdict completed one.
    pub(crate) fn note_verdict(&mut self, verdict: Verdict) -> Option<(Segment, Vec<Verdict>)> {
        let index = verdict.index;
        self.pace.note(&verdict);
        match self.tally.note(verdict) {
            TallyChange::New => None,
            TallyChange::Complete(segment, verdicts) => Some((segment, verdicts)),
            TallyChange::Known => {
                self.record.duplicates += 1;
                None
            }
            TallyChange::Unknown => {
                tracing::warn!(job.id = %self.record.id, datum.index = index, "a report names a datum that the job does not have");
                None
            }
        }
    }

    /// Enters the next state if one is due, and returns the event.
    pub(crate) fn advance(&mut self) -> Result<Option<JobEvent>, InvalidTransition> {
        let counts = self.tally.counts();
        let early_end = self.check_early_end();
        let work = WorkState {
            known: self.tally.known(),
            outstanding: counts.outstanding(),
            failed: counts.failed,
            is_first: self.record.first.is_some(),
            early_end,
            expansion: self.expansion,
        };
        let event = decide(self.record.state, &self.stop_request, &work);
        if let Some(event) = event {
            // Before the state is seen: nobody finds a failed job without its reason.
            if event == JobEvent::Failed && counts.failed > 0 {
                self.give_reason(self.failure_reason());
            }
            if event == JobEvent::Stopped && !self.stop_request.is_stop() {
                self.record.ended_as_told = true;
                if self.early_end.is_none() {
                    let total = counts.total;
                    self.give_reason(format!("only its first {total} datums were to run"));
                }
            }
            self.enter(event)?;
        }
        Ok(event)
    }

    /// The event that ends the job before its last datum, once no datum has to go on to its end; sets the reason.
    fn check_early_end(&mut self) -> Option<JobEvent> {
        let outcomes = self.outcomes();
        if outcomes.expanded && outcomes.counts.outstanding() == 0 {
            return None;
        }
        if self.early_end.is_none() {
            self.early_end = self.early_end_rule.due(&outcomes);
        }
        let early_end = self.early_end?;
        if early_end.lets_datums_end() && !self.is_idle {
            return None;
        }
        self.give_reason(self.early_end_reason(early_end, &outcomes));
        Some(outcomes.event())
    }

    fn outcomes(&self) -> Outcomes {
        let (counts, taken) = (self.tally.counts(), self.tally.taken());
        Outcomes {
            counts,
            not_run: Counts {
                skipped: counts.skipped,
                ..taken
            },
            expanded: self.expansion == Expansion::Complete,
            causes: match counts.failed {
                0 => 0,
                _ => self.tally.failures().by_count().len(),
            },
        }
    }

    fn early_end_reason(&self, early_end: EarlyEnd, outcomes: &Outcomes) -> String {
        let counts = outcomes.counts;
        let summary = || self.tally.failures().summary();
        match early_end {
            EarlyEnd::AllAlike => format!(
                "the first {} datums all failed alike: {}; the others were not run, as they would most likely fail too: \
                 --keep-going runs them",
                outcomes.worked(),
                summary()
            ),
            EarlyEnd::OverLimit => format!(
                "{} of {} datums failed, more than max_failures allows: {}",
                counts.failed,
                counts.total,
                summary()
            ),
            EarlyEnd::Halted(halt) => {
                let counted = outcomes.counted(halt.outcome);
                let came_to = match halt.outcome {
                    HaltOutcome::Failed => format!("failed: {}", summary()),
                    HaltOutcome::Succeeded => "succeeded".to_owned(),
                    HaltOutcome::Done => "ended".to_owned(),
                };
                format!(
                    "halted by {halt}: {counted} of {} datums {came_to}",
                    counts.total
                )
            }
        }
    }

    /// True while the job begins no datum and waits for the end of running datums.
    pub(crate) fn is_closing(&self) -> bool {
        self.early_end.is_some_and(EarlyEnd::lets_datums_end)
    }

    /// True if a datum is known to run.
    pub(crate) fn has_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// Applies an event to the state; sets start and end times.
    pub(crate) fn enter(&mut self, event: JobEvent) -> Result<(), InvalidTransition> {
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

    /// Returns a job that could not be published to the state `running`: some of its datums run again.
    pub(crate) fn run_again(&mut self, redone: &Redone) {
        self.record.state = JobState::Running;
        for (segment, entries) in redone {
            self.tally.open(*segment, &vec![false; entries.len()]);
            self.tally.replace(entries);
        }
    }

    /// Sets the reason for the job's outcome. The first reason stays.
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
            usage: self.tally.usage(),
            ..self.record.clone()
        }
    }

    /// The snapshot as of `now`.
    pub(crate) fn snapshot(&mut self, now: Instant) -> Snapshot {
        let record = self.record();
        let counts = record.datums;
        let running: Vec<RunningDatum> = self.running.values().cloned().collect();
        let reported = u64::try_from(running.len()).unwrap_or(0);
        let busy = (reported + self.short_datums.running(now)).min(counts.outstanding());
        Snapshot {
            waiting_for_lock: false,
            expanded: self.expansion == Expansion::Complete,
            queued: counts.outstanding() - busy,
            running_count: busy,
            rate: self.rate.note(now, self.tally.worked()),
            running: by_age(running),
            failures: self.tally.failures().clone(),
            files: None,
            record,
        }
    }
}

impl OpenWork for LiveJob {
    fn outstanding(&self) -> IndexRanges {
        self.tally.outstanding()
    }

    fn open_segments(&self) -> Vec<Segment> {
        self.tally.open_segments()
    }

    fn running(&self) -> Vec<(WorkerId, u64)> {
        let running = self.running.values();
        running
            .map(|datum| (datum.worker.clone(), datum.index))
            .collect()
    }

    fn may_publish(&self) -> bool {
        let is_ending = self.early_end.is_some() || self.expansion == Expansion::Broken;
        self.stop_request == StopRequest::Run && !is_ending
    }
}

fn by_age(mut running: Vec<RunningDatum>) -> Vec<RunningDatum> {
    running.sort_by_key(|datum| datum.since);
    running.truncate(Snapshot::MOST_RUNNING);
    running
}
