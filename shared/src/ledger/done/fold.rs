//! Maintenance of the done index: folding in finished jobs, and rebuilding a damaged index.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use tokio::task::spawn_blocking;
use tracing::warn;

use super::DoneIndex;
use super::format::{DoneTable, Success};
use crate::datum::VerdictState;
use crate::id::{DatumId, JobId, PipelineName};
use crate::ledger::records::{advice, damaged};
use crate::ledger::{Ledger, Segment};
use crate::store::{ObjectVersion, StoreError, StoreKey, layout};

/// Conditional puts of the done index before a change is given up. Each failed put is a success of a second process.
const MOST_TRIES: u32 = 1000;

/// The done index as found in the store.
enum StoredDone {
    /// With its version, if there is an object.
    Whole(DoneTable, Option<ObjectVersion>),
    /// The kind of damage, and the version of the damaged object; none if no file.
    Damaged(&'static str, Option<ObjectVersion>),
}

/// As much of a verdict as the done index needs.
#[derive(Deserialize)]
struct VerdictSummary {
    index: u64,
    datum: DatumId,
    state: VerdictState,
}

impl VerdictSummary {
    fn success(self) -> Option<Success> {
        let Self {
            index,
            datum,
            state,
        } = self;
        (state == VerdictState::Success).then_some(Success { datum, index })
    }
}

/// Skips a damaged record with a warning; passes on any other failure.
fn skip_damaged(job: JobId, error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::Corrupt { .. } => {
            let error = &error as &dyn std::error::Error;
            warn!(job.id = %job, error, "a damaged record of job {job} is skipped; the datums in it run again");
            Ok(())
        }
        failure => Err(failure),
    }
}

impl Ledger {
    /// The done index of a pipeline. Folds in the successes of unfolded jobs first (and writes the index back), so
    /// that an interrupted job counts; submitted jobs that have not ended are skipped. The caller leads the pipeline and has
    /// not opened the next job yet.
    pub async fn done_index(&self, pipeline: &PipelineName) -> Result<DoneIndex, StoreError> {
        // Damage is noticed before the jobs to fold are listed.
        let (mut index, _) = self.read_done(pipeline).await?;
        let mut has_changed = false;
        for job in self.unfolded(pipeline).await? {
            if !self.is_unfinished_submission(job).await? {
                self.fold(pipeline, job).await?;
                has_changed = true;
            }
        }
        if has_changed {
            (index, _) = self.read_done(pipeline).await?;
        }
        Ok(DoneIndex(index))
    }

    /// True if a job was submitted to the broker and has not ended.
    async fn is_unfinished_submission(&self, job: JobId) -> Result<bool, StoreError> {
        if self.submission(job).await?.is_none() {
            return Ok(false);
        }
        match self.job(job).await {
            Ok(record) => Ok(!record.state.is_final()),
            // The submission exists and the job record is about to be written.
            Err(StoreError::Missing { .. }) => Ok(true),
            Err(error) => skip_damaged(job, error).map(|()| false),
        }
    }

    /// Adds the successes of an ended job to the pipeline's done index. Safe to repeat, and whatever other processes do.
    pub async fn fold(&self, pipeline: &PipelineName, job: JobId) -> Result<(), StoreError> {
        let successes: Arc<[Success]> = self.successes(job).await?.into();
        if !successes.is_empty() {
            self.change_done(pipeline, move |index, to| index.merge(job, &successes, to))
                .await?;
        }
        self.store.delete(&layout::unfolded(pipeline, job)).await
    }

    /// Removes work from the done index so the work runs again: its output was lost.
    pub async fn forget(
        &self,
        pipeline: &PipelineName,
        work: &[DatumId],
    ) -> Result<(), StoreError> {
        let mut work = work.to_vec();
        work.sort_unstable();
        let work: Arc<[DatumId]> = work.into();
        self.change_done(pipeline, move |index, to| index.without(&work, to))
            .await
    }

    /// Removes the work for which `keep` (given its [position](DoneIndex::position) in `index`) is false. Returns false,
    /// and changes nothing, if the stored index differs from `index` by now.
    pub async fn retain_done(
        &self,
        pipeline: &PipelineName,
        index: &DoneIndex,
        keep: impl Fn(usize) -> bool,
    ) -> Result<bool, StoreError> {
        let key = layout::done(pipeline);
        let (bytes, version) = match self.store.get_versioned(&key).await {
            Err(StoreError::Missing { .. }) => return Ok(false),
            found => found?,
        };
        if !DoneTable::parse(&bytes).is_ok_and(|found| found == index.0) {
            return Ok(false);
        }
        let mut retained = Vec::with_capacity(bytes.len());
        index
            .0
            .retain(keep, &mut retained)
            .map_err(|error| write_error(&key, error))?;
        match self.store.replace(&key, retained.into(), &version).await {
            Err(StoreError::Changed { .. }) => Ok(false),
            replaced => replaced.map(|()| true),
        }
    }

    /// The done index as last written, without unfolded jobs, for readers without the lock. Changes nothing: a damaged
    /// index counts as empty until a job rebuilds it.
    pub async fn written_done_index(
        &self,
        pipeline: &PipelineName,
    ) -> Result<DoneIndex, StoreError> {
        match self.store.get(&layout::done(pipeline)).await {
            Err(StoreError::Missing { .. }) => Ok(DoneIndex::default()),
            bytes => Ok(DoneIndex(DoneTable::parse(&bytes?).unwrap_or_default())),
        }
    }

    /// The done index as last written, and its version; none before the first work. A damaged index is replaced by an
    /// empty one, and all jobs are folded again.
    async fn read_done(
        &self,
        pipeline: &PipelineName,
    ) -> Result<(DoneTable, Option<ObjectVersion>), StoreError> {
        match self.stored_done(pipeline).await? {
            StoredDone::Whole(index, version) => return Ok((index, version)),
            StoredDone::Damaged(problem, version) => {
                let key = layout::done(pipeline);
                warn!(pipeline.name = %pipeline, problem, "{key} is damaged; rebuilding it from the jobs");
                self.empty_done(pipeline, version).await?;
            }
        }
        match self.stored_done(pipeline).await? {
            StoredDone::Whole(index, version) => Ok((index, version)),
            StoredDone::Damaged(problem, _) => {
                Err(damaged(&layout::done(pipeline), advice::DONE, problem))
            }
        }
    }

    async fn stored_done(&self, pipeline: &PipelineName) -> Result<StoredDone, StoreError> {
        let (bytes, version) = match self.store.get_versioned(&layout::done(pipeline)).await {
            Err(StoreError::Missing { .. }) => {
                return Ok(StoredDone::Whole(DoneTable::default(), None));
            }
            Err(StoreError::Corrupt { .. }) => {
                return Ok(StoredDone::Damaged("it is not a file", None));
            }
            read => read?,
        };
        Ok(match DoneTable::parse(&bytes) {
            Ok(index) => StoredDone::Whole(index, Some(version)),
            Err(problem) => StoredDone::Damaged(problem, Some(version)),
        })
    }

    /// Marks all jobs for folding, and puts an empty index in place of the damaged index, unless a second process has made
    /// the index again meanwhile. The marks come first, so a crash in between forgets nothing.
    async fn empty_done(
        &self,
        pipeline: &PipelineName,
        damaged: Option<ObjectVersion>,
    ) -> Result<(), StoreError> {
        self.unfold_all(pipeline).await?;
        let key = layout::done(pipeline);
        let Some(version) = damaged else {
            // Another process may have folded the jobs before the removal.
            self.store.delete(&key).await?;
            return self.unfold_all(pipeline).await;
        };
        let mut empty = Vec::new();
        let written = DoneTable::default().without(&[], &mut empty);
        written.map_err(|error| write_error(&key, error))?;
        match self.store.replace(&key, empty.into(), &version).await {
            Err(StoreError::Changed { .. }) => Ok(()),
            replaced => replaced,
        }
    }

    /// Replaces the done index by the output of `change`, given the present index. The put is conditional on the version
    /// read, and repeated if a second process has changed the index meanwhile, so no change is lost.
    async fn change_done(
        &self,
        pipeline: &PipelineName,
        change: impl Fn(&DoneTable, &mut Vec<u8>) -> io::Result<()> + Clone + Send + 'static,
    ) -> Result<(), StoreError> {
        let key = layout::done(pipeline);
        for _ in 0..MOST_TRIES {
            let (index, version) = self.read_done(pipeline).await?;
            let change = change.clone();
            let changed = spawn_blocking(move || {
                let mut changed = Vec::with_capacity(index.records.len());
                change(&index, &mut changed).map(|()| changed)
            });
            let changed = changed.await.map_err(io::Error::other).flatten();
            let changed = changed.map_err(|error| write_error(&key, error))?;
            let put = match version {
                Some(version) => self.store.replace(&key, changed.into(), &version).await,
                None => self.store.create(&key, changed.into()).await,
            };
            match put {
                Err(StoreError::Changed { .. } | StoreError::Exists { .. }) => {}
                // The marks of folded jobs are removed next.
                Ok(()) => return self.store.persist(&key).await,
                Err(error) => return Err(error),
            }
        }
        let busy = io::Error::other("other processes change it all the time");
        Err(write_error(&key, busy))
    }

    /// Marks all jobs of the pipeline as not folded yet.
    async fn unfold_all(&self, pipeline: &PipelineName) -> Result<(), StoreError> {
        let mut jobs = Vec::new();
        for (job, of) in self.expired_jobs().await? {
            if of == *pipeline {
                jobs.push(job);
            }
        }
        for job in self.jobs().await? {
            match self.job(job).await {
                Ok(record) if record.pipeline == *pipeline => jobs.push(job),
                Ok(_) | Err(StoreError::Missing { .. }) => {}
                Err(error) => skip_damaged(job, error)?,
            }
        }
        for job in jobs {
            self.store
                .put(&layout::unfolded(pipeline, job), Bytes::new())
                .await?;
        }
        Ok(())
    }

    /// Successes of a job, sorted by datum. Damaged records do not count, so their work runs again.
    async fn successes(&self, job: JobId) -> Result<Vec<Success>, StoreError> {
        let mut successes = vec![];
        for segment in self.segments(job).await? {
            match self.verdict_summaries(job, segment).await {
                Ok(mut summaries) => {
                    self.retain_named(job, segment, &mut summaries).await?;
                    successes.extend(summaries.into_iter().filter_map(VerdictSummary::success));
                }
                Err(error) => skip_damaged(job, error)?,
            }
        }
        // Of equal work the newest counts: earlier output may have been lost.
        successes.sort_unstable_by_key(|success| (success.datum, Reverse(success.index)));
        Ok(successes)
    }

    /// Removes verdicts on other work than the manifest names at their index. All stay if the manifest is damaged.
    async fn retain_named(
        &self,
        job: JobId,
        segment: Segment,
        summaries: &mut Vec<VerdictSummary>,
    ) -> Result<(), StoreError> {
        let entries = match self.manifest(job, segment).await {
            Err(error @ StoreError::Corrupt { .. }) => {
                let error = &error as &dyn std::error::Error;
                warn!(job.id = %job, error, "the verdicts of a damaged segment of job {job} count unseen");
                return Ok(());
            }
            entries => entries?,
        };
        summaries.retain(|summary| {
            let at = summary.index.checked_sub(segment.first);
            let entry = at.and_then(|at| entries.get(usize::try_from(at).ok()?));
            let is_named = entry.is_some_and(|entry| entry.datum.id == summary.datum);
            if !is_named {
                warn!(job.id = %job, "the verdict at index {} of job {job} is on other work; the datum runs again", summary.index);
            }
            is_named
        });
        Ok(())
    }

    /// How the datums of a segment ended.
    async fn verdict_summaries(
        &self,
        job: JobId,
        segment: Segment,
    ) -> Result<Vec<VerdictSummary>, StoreError> {
        let sealed = layout::result(job, &segment.to_string());
        match self.read_lines(&sealed, advice::DETAIL).await {
            Err(StoreError::Missing { .. }) => {}
            summaries => return summaries,
        }
        let mut summaries: BTreeMap<u64, VerdictSummary> = BTreeMap::new();
        for record in self.commit_records(job, segment).await? {
            let key = record.key(job);
            let of_record = self.read_lines::<VerdictSummary>(&key, advice::VERDICT);
            match of_record.await {
                Ok(of_record) => {
                    for summary in of_record {
                        if record.is_about(summary.index) {
                            summaries.entry(summary.index).or_insert(summary);
                        } else {
                            warn!(job.id = %job, "the verdict of datum {} is in the record of another datum, which runs again", summary.index);
                        }
                    }
                }
                Err(error) => skip_damaged(job, error)?,
            }
        }
        Ok(summaries.into_values().collect())
    }
}

fn write_error(key: &StoreKey, error: io::Error) -> StoreError {
    let key = key.clone();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full {
            key,
            source: error.into(),
        },
        _ => StoreError::Unavailable {
            key,
            source: error.into(),
        },
    }
}
