//! Looking through the datums of a job, however many: segment by segment, for a bounded time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use drover_shared::datum::{DatumState, Verdict, VerdictState};
use drover_shared::id::{JobId, WorkerId};
use drover_shared::job::CauseKey;
use drover_shared::ledger::{Ledger, Segment};
use drover_shared::store::StoreError;

use drover_core::catalog::{self, JobDatum};
use drover_core::coordinator::{RunningDatum, Snapshot};

/// How long a request looks for what it is asked for, before it says how far it came.
const LONGEST_LOOK: Duration = Duration::from_millis(500);

/// The time that a request may spend on looking.
pub(crate) struct Patience(Instant);

impl Patience {
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.elapsed() > LONGEST_LOOK
    }
}

/// Which datums are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// In one of these states; none for all.
    pub(crate) states: Vec<DatumState>,
    /// With this in the path of an input, in lower case.
    pub(crate) path: Option<String>,
    /// This worker ended it, or is at it.
    pub(crate) worker: Option<WorkerId>,
    /// It failed for this cause.
    pub(crate) cause: Option<CauseKey>,
}

impl Filter {
    /// Whether a datum is wanted that `running` is at, if anybody is.
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

    /// Whether a verdict may be that of a wanted datum.
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

    /// Whether only datums are wanted that have verdicts of their own, so that the manifest need not be read where no
    /// verdict fits.
    fn is_of_verdicts(&self) -> bool {
        use DatumState::{Failed, Recovered, Success};
        let has_verdict = |state: &DatumState| matches!(state, Success | Failed | Recovered);
        self.cause.is_some()
            || self.worker.is_some()
            || !self.states.is_empty() && self.states.iter().all(has_verdict)
    }

    /// Whether only datums are wanted that somebody is at.
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
        // A recovered datum is in no group.
        verdict.state == VerdictState::Failed
            && verdict.cause.as_ref().map(CauseKey::of) == Some(wanted)
    })
}

fn has_path(row: &JobDatum, wanted: &str) -> bool {
    let mut inputs = row.datum.inputs.iter();
    inputs.any(|input| input.path.to_lowercase().contains(wanted))
}

/// What a look found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The datums, in order.
    pub(crate) rows: Vec<JobDatum>,
    /// The last index that was looked at, if there are more.
    pub(crate) next: Option<u64>,
    /// Whether it ended for another reason than the time.
    pub(crate) complete: bool,
    /// How many datums were looked at.
    pub(crate) looked_at: u64,
}

/// A job whose datums are looked through.
pub(crate) struct Scan<'a> {
    ledger: &'a Ledger,
    job: JobId,
    running: HashMap<u64, RunningDatum>,
}

impl<'a> Scan<'a> {
    /// A job, of which `live` is known if it is coordinated here.
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

    /// The first `most` wanted datums with an index of at least `from`.
    pub(crate) async fn look(
        &self,
        filter: &Filter,
        from: u64,
        most: usize,
    ) -> Result<Found, StoreError> {
        let patience = Patience::begin();
        let mut found = Found {
            complete: true,
            ..Found::default()
        };
        let segments = self.ledger.segments(self.job).await?;
        let ahead = segments
            .into_iter()
            .filter(|segment| segment.indexes().end > from);
        for segment in ahead {
            // At least one is looked at, so that whoever asks again gets on.
            if found.looked_at > 0 && patience.is_over() {
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

    /// The datums of a segment; none if one can tell without reading all of it that none is wanted.
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

    /// One datum; none if the job has, or knows, none of this index.
    pub(crate) async fn one(&self, index: u64) -> Result<Option<JobDatum>, StoreError> {
        let segments = self.ledger.segments(self.job).await?;
        let Some(segment) = segments.into_iter().find(|segment| segment.contains(index)) else {
            return Ok(None);
        };
        let rows = self.rows(segment, &Filter::default()).await?;
        Ok(rows.into_iter().find(|row| row.datum.index == index))
    }

    /// Who is at a datum, if anybody is.
    pub(crate) fn running(&self, index: u64) -> Option<&RunningDatum> {
        self.running.get(&index)
    }
}
