//! Searches the datums of a job of any size, segment by segment, for a bounded time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use drover_shared::datum::{DatumState, Verdict, VerdictState};
use drover_shared::id::{JobId, WorkerId};
use drover_shared::job::CauseKey;
use drover_shared::ledger::{Ledger, Segment};
use drover_shared::store::StoreError;

use drover_core::catalog::{self, JobDatum};
use drover_core::coordinator::{RunningDatum, Snapshot};

/// Time for a search, before a request answers with a partial result.
const SCAN_TIME: Duration = Duration::from_millis(500);

/// Time that a request may spend on searching.
pub(crate) struct TimeBudget(Instant);

impl TimeBudget {
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.elapsed() > SCAN_TIME
    }
}

/// Conditions on datums; all of them must hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// States; an empty list stands for all states.
    pub(crate) states: Vec<DatumState>,
    /// Text in the path of an input, in lower case.
    pub(crate) path: Option<String>,
    /// Worker that runs or ended the datum.
    pub(crate) worker: Option<WorkerId>,
    /// Cause of the failure.
    pub(crate) cause: Option<CauseKey>,
}

impl Filter {
    /// True if the row matches; `running` is the running attempt of the datum.
    fn takes(&self, row: &JobDatum, running: Option<&RunningDatum>) -> bool {
        let (state, verdict) = (&row.state, row.verdict.as_ref());
        (self.states.is_empty() || self.states.contains(state))
            && self.worker.as_ref().is_none_or(|wanted| {
                let worker = verdict.map(|verdict| &verdict.worker);
                worker.or(running.map(|running| &running.worker)) == Some(wanted)
            })
            && self.cause.is_none_or(|wanted| failed_for(verdict, wanted))
            && self
                .path
                .as_ref()
                .is_none_or(|wanted| has_path(row, wanted))
    }

    /// True if the datum of this verdict may match; paths are not checked.
    fn may_take(&self, verdict: &Verdict) -> bool {
        (self.states.is_empty() || self.states.contains(&verdict.state.into()))
            && self
                .worker
                .as_ref()
                .is_none_or(|wanted| verdict.worker == *wanted)
            && self
                .cause
                .is_none_or(|wanted| failed_for(Some(verdict), wanted))
    }

    /// True if only datums with a verdict in the job can match; a segment without a matching verdict is then skipped
    /// without a look at the manifest.
    fn is_of_verdicts(&self) -> bool {
        use DatumState::{Failed, Recovered, Success};
        let has_verdict = |state: &DatumState| matches!(state, Success | Failed | Recovered);
        self.cause.is_some()
            || self.worker.is_some()
            || !self.states.is_empty() && self.states.iter().all(has_verdict)
    }

    /// True if only running datums can match.
    fn is_of_running(&self) -> bool {
        !self.states.is_empty()
            && self
                .states
                .iter()
                .all(|state| *state == DatumState::Running)
    }
}

fn failed_for(verdict: Option<&Verdict>, wanted: CauseKey) -> bool {
    verdict.is_some_and(|verdict| {
        // Recovered datums belong to no group of failures.
        verdict.state == VerdictState::Failed
            && verdict.cause.as_ref().map(CauseKey::of) == Some(wanted)
    })
}

fn has_path(row: &JobDatum, wanted: &str) -> bool {
    let mut inputs = row.datum.inputs.iter();
    inputs.any(|input| input.path.to_lowercase().contains(wanted))
}

/// A page of matching datums.
#[derive(Debug, Default)]
pub(crate) struct ScanPage {
    /// The datums, in order.
    pub(crate) rows: Vec<JobDatum>,
    /// The last examined index, if more datums follow.
    pub(crate) next: Option<u64>,
    /// False if the time ran out.
    pub(crate) complete: bool,
    /// Number of examined datums.
    pub(crate) looked_at: u64,
}

/// A search through the datums of a job.
pub(crate) struct Scan<'a> {
    ledger: &'a Ledger,
    job: JobId,
    running: HashMap<u64, RunningDatum>,
}

impl<'a> Scan<'a> {
    /// Creates a search; `live` is the snapshot if the current process coordinates the job.
    pub(crate) fn of(ledger: &'a Ledger, job: JobId, live: Option<&Snapshot>) -> Self {
        let running = live.map(|live| live.running.as_slice()).unwrap_or_default();
        Self {
            ledger,
            job,
            running: running
                .iter()
                .map(|running| (running.index, running.clone()))
                .collect(),
        }
    }

    /// The first `most` matching datums from the index `from` on.
    pub(crate) async fn look(
        &self,
        filter: &Filter,
        from: u64,
        most: usize,
    ) -> Result<ScanPage, StoreError> {
        let budget = TimeBudget::begin();
        let mut found = ScanPage {
            complete: true,
            ..ScanPage::default()
        };
        let segments = self.ledger.segments(self.job).await?;
        let ahead = segments
            .into_iter()
            .filter(|segment| segment.indexes().end > from);
        for segment in ahead {
            // A segment is always read, so repeated requests make progress.
            if found.looked_at > 0 && budget.is_over() {
                found.complete = false;
                found.next = segment.first.checked_sub(1);
                return Ok(found);
            }
            for row in self.rows(segment, filter).await? {
                if row.datum.index < from || !self.takes(&row, filter) {
                    continue;
                }
                if found.rows.len() == most {
                    found.looked_at += row.datum.index - segment.first.max(from);
                    found.next = found.rows.last().map(|row| row.datum.index);
                    return Ok(found);
                }
                found.rows.push(row);
            }
            found.looked_at += segment.indexes().end - segment.first.max(from);
        }
        Ok(found)
    }

    fn takes(&self, row: &JobDatum, filter: &Filter) -> bool {
        filter.takes(row, self.running.get(&row.datum.index))
    }

    /// The datums of a segment; empty if the verdicts alone exclude a match.
    async fn rows(&self, segment: Segment, filter: &Filter) -> Result<Vec<JobDatum>, StoreError> {
        let is_run = self.running.keys().any(|index| segment.contains(*index));
        if filter.is_of_running() && !is_run {
            return Ok(Vec::new());
        }
        let verdicts = self.ledger.verdicts(self.job, segment).await?;
        if filter.is_of_verdicts()
            && !is_run
            && !verdicts.iter().any(|verdict| filter.may_take(verdict))
        {
            return Ok(Vec::new());
        }
        let mut rows = catalog::datum_rows(self.ledger, self.job, segment, verdicts).await?;
        for row in &mut rows {
            if row.state == DatumState::Queued && self.running.contains_key(&row.datum.index) {
                row.state = DatumState::Running;
            }
        }
        Ok(rows)
    }

    /// The datum with the index, if the manifest has one.
    pub(crate) async fn one(&self, index: u64) -> Result<Option<JobDatum>, StoreError> {
        let segments = self.ledger.segments(self.job).await?;
        let Some(segment) = segments.into_iter().find(|segment| segment.contains(index)) else {
            return Ok(None);
        };
        let rows = self.rows(segment, &Filter::default()).await?;
        Ok(rows.into_iter().find(|row| row.datum.index == index))
    }

    /// The running attempt of a datum.
    pub(crate) fn running(&self, index: u64) -> Option<&RunningDatum> {
        self.running.get(&index)
    }
}
