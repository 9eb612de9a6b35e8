//! A pass over one pipeline: decides and removes.
//!
//! The order of the steps bears a kill between any two. A job is marked for the sweep before the first change, and the mark
//! goes last. Work leaves the done index before the output leaves the store. The record is the first file of a job to go, so
//! readers find a whole job or none. A job that skips work in the moment of the removal does the work anew: for that job the
//! output is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use drover_shared::datum::VerdictState;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::{DoneIndex, Ledger};
use drover_shared::pipeline::RetentionLimits;
use drover_shared::store::{StoreError, layout};
use jiff::Timestamp;

use super::expiry::expiring;
use super::file_kind::{FileKind, Space, SpaceByKind};
use super::log_age::OldLogs;
use super::remains::Remains;
use super::removal::remove;
use super::unused_work::UnusedWork;

/// Jobs that expire in a bounded pass, at most.
const BOUNDED_JOBS: usize = 100;

/// The effort of a pass.
#[derive(Clone, Copy, Debug)]
pub enum Effort {
    /// Bounded work, until the given time at the latest; the next pass goes on.
    Until(Instant),
    /// Everything, expired jobs of earlier passes included.
    Thorough,
}

impl Effort {
    fn is_over(self) -> bool {
        matches!(self, Self::Until(end) if Instant::now() >= end)
    }
}

/// A pass over one pipeline. Only for the process that may start jobs of the pipeline, while none is running.
#[derive(Debug)]
pub struct RetentionPass<'a> {
    /// The records of the store.
    pub ledger: &'a Ledger,
    /// The pipeline.
    pub pipeline: &'a PipelineName,
    /// Limits of the pipeline.
    pub limits: RetentionLimits,
    /// The effort.
    pub effort: Effort,
    /// Changes nothing.
    pub dry_run: bool,
}

/// The effect of a pass.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Removed {
    /// Jobs that expired.
    pub jobs: u64,
    /// Finished jobs that stay.
    pub kept_jobs: u64,
    /// Forgotten work, superseded by a newer output.
    pub work: u64,
    /// Removed files.
    pub space: BTreeMap<FileKind, Space>,
}

/// The jobs of a pipeline, oldest first.
struct JobHistory {
    finished: Vec<JobId>,
    unfinished: Vec<JobId>,
    newest_success: Option<JobId>,
}

impl RetentionPass<'_> {
    /// Removes what is not kept. `jobs` are the jobs of the pipeline that have a record, oldest first.
    ///
    /// # Errors
    /// Of the store. The pass may be repeated.
    pub async fn run(&self, jobs: Vec<JobId>) -> Result<Removed, StoreError> {
        let mut removed = Removed::default();
        let marked = self.ledger.marked_for_sweep(self.pipeline).await?;
        let surplus = jobs.len() > self.limits.jobs as usize;
        let thorough = matches!(self.effort, Effort::Thorough);
        if surplus || thorough || !marked.is_empty() {
            self.remove_jobs(&jobs, marked, &mut removed).await?;
        }
        self.remove_old_logs(&jobs, &mut removed).await?;
        Ok(removed)
    }

    async fn remove_jobs(
        &self,
        jobs: &[JobId],
        marked: Vec<JobId>,
        removed: &mut Removed,
    ) -> Result<(), StoreError> {
        let mut expired = self.expired_before().await?;
        let jobs: Vec<JobId> = jobs
            .iter()
            .copied()
            .filter(|job| !expired.contains(job))
            .collect();
        let history = self.history(&jobs).await?;
        let expiring = self.expiring(&history).await?;
        removed.jobs = expiring.len() as u64;
        removed.kept_jobs = (history.finished.len() - expiring.len()) as u64;
        let done = self.expire(&expiring).await?;
        expired.extend(&expiring);
        let kept = jobs.into_iter().filter(|job| !expired.contains(job));
        let mut unused = UnusedWork::of(&done, &expired, history.newest_success);
        self.note_uses(kept.collect(), &mut unused).await?;
        self.forget(&done, &mut unused).await?;
        removed.work = unused.len() as u64;
        let mut to_sweep = unused.jobs();
        to_sweep.extend(expiring);
        to_sweep.extend(marked);
        if matches!(self.effort, Effort::Thorough) {
            to_sweep.extend(expired);
        }
        let mut in_use: BTreeMap<JobId, BTreeSet<u64>> = BTreeMap::new();
        for work in unused.used().filter(|work| to_sweep.contains(&work.job)) {
            in_use.entry(work.job).or_default().insert(work.index);
        }
        for job in to_sweep {
            if self.effort.is_over() {
                break;
            }
            let in_use = in_use.remove(&job).unwrap_or_default();
            self.sweep(job, &in_use, &mut removed.space).await?;
        }
        Ok(())
    }

    /// Jobs of the pipeline that expired in earlier passes.
    async fn expired_before(&self) -> Result<BTreeSet<JobId>, StoreError> {
        let expired = self.ledger.expired_jobs().await?.into_iter();
        let ours = expired.filter(|(_, pipeline)| pipeline == self.pipeline);
        Ok(ours.map(|(job, _)| job).collect())
    }

    async fn history(&self, jobs: &[JobId]) -> Result<JobHistory, StoreError> {
        let mut unfinished = Vec::new();
        for job in self.ledger.unfolded(self.pipeline).await? {
            if !self
                .record(job)
                .await?
                .is_some_and(|record| record.state.is_final())
            {
                unfinished.push(job);
            }
        }
        let finished = jobs.iter().filter(|job| !unfinished.contains(job));
        let finished: Vec<JobId> = finished.copied().collect();
        let mut newest_success = None;
        for job in finished.iter().rev() {
            let record = self.record(*job).await?;
            if record.is_some_and(|record| record.state == JobState::Success) {
                newest_success = Some(*job);
                break;
            }
        }
        Ok(JobHistory {
            finished,
            unfinished,
            newest_success,
        })
    }

    /// The record of a job; none if it is missing or damaged.
    async fn record(&self, job: JobId) -> Result<Option<JobRecord>, StoreError> {
        match self.ledger.job(job).await {
            Ok(record) => Ok(Some(record)),
            Err(StoreError::Missing { .. } | StoreError::Corrupt { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn expiring(&self, history: &JobHistory) -> Result<Vec<JobId>, StoreError> {
        let without_exception = expiring(&history.finished, self.limits.jobs, &BTreeSet::new());
        if without_exception.is_empty() {
            return Ok(without_exception);
        }
        let mut needed: BTreeSet<JobId> = history.newest_success.into_iter().collect();
        needed.extend(&history.unfinished);
        for pipeline in self.ledger.pipelines().await? {
            for (_, submission) in self.ledger.submitted(&pipeline).await? {
                needed.extend(submission.scope.parent());
                needed.extend(submission.after);
            }
        }
        let mut expiring = expiring(&history.finished, self.limits.jobs, &needed);
        if let Effort::Until(_) = self.effort {
            expiring.truncate(BOUNDED_JOBS);
        }
        Ok(expiring)
    }

    /// Lets the jobs expire, and returns the done index, which holds their successes.
    async fn expire(&self, expiring: &[JobId]) -> Result<DoneIndex, StoreError> {
        if self.dry_run {
            return self.ledger.written_done_index(self.pipeline).await;
        }
        // From now on the index alone leads to the work.
        let unfolded = self.ledger.unfolded(self.pipeline).await?;
        if expiring.iter().any(|job| unfolded.contains(job)) {
            self.ledger.done_index(self.pipeline).await?;
        }
        for job in expiring {
            self.ledger.expire(self.pipeline, *job).await?;
        }
        self.ledger.written_done_index(self.pipeline).await
    }

    /// Notes the work in the manifests of the kept jobs, the newest first, until no work is in doubt.
    async fn note_uses(
        &self,
        kept: Vec<JobId>,
        unused: &mut UnusedWork<'_>,
    ) -> Result<(), StoreError> {
        for job in kept.into_iter().rev() {
            for segment in self.ledger.segments(job).await? {
                if unused.len() == 0 {
                    return Ok(());
                }
                match self.ledger.manifest(job, segment).await {
                    Ok(entries) => entries
                        .iter()
                        .for_each(|entry| unused.note_use(entry.datum.id)),
                    // A damaged manifest may name anything.
                    Err(StoreError::Corrupt { .. }) => unused.give_up(),
                    Err(error) => return Err(error),
                }
                if self.effort.is_over() {
                    unused.give_up();
                }
            }
        }
        Ok(())
    }

    /// Marks the jobs of unused work for the sweep, and removes the work from the done index.
    async fn forget(
        &self,
        done: &DoneIndex,
        unused: &mut UnusedWork<'_>,
    ) -> Result<(), StoreError> {
        if self.dry_run || unused.len() == 0 {
            return Ok(());
        }
        for job in unused.jobs() {
            self.ledger.mark_for_sweep(self.pipeline, job).await?;
        }
        let is_used = |position| !unused.contains(position);
        if !self
            .ledger
            .retain_done(self.pipeline, done, is_used)
            .await?
        {
            unused.give_up();
        }
        Ok(())
    }

    /// Removes the files of an expired job, except files of datums `in_use`.
    async fn sweep(
        &self,
        job: JobId,
        in_use: &BTreeSet<u64>,
        space: &mut SpaceByKind,
    ) -> Result<(), StoreError> {
        let remains = match self.remains(job, in_use).await {
            Err(error @ StoreError::Corrupt { .. }) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(job.id = %job, error, "the files of the expired job {job} stay, as its records are damaged");
                return Ok(());
            }
            remains => Arc::new(remains?),
        };
        let (store, folder) = (self.ledger.store(), layout::job(job));
        let record = "record.json";
        remove(
            store,
            (&folder, ""),
            Arc::new(move |path| path == record),
            self.dry_run,
            space,
        )
        .await?;
        let removed = Arc::clone(&remains);
        let is_removable = Arc::new(move |path: &str| path != record && !removed.contains(path));
        remove(store, (&folder, ""), is_removable, self.dry_run, space).await?;
        if self.dry_run {
            return Ok(());
        }
        let is_empty = *remains == Remains::Nothing;
        if is_empty {
            store.delete_all(&folder).await?;
        }
        self.ledger.swept(self.pipeline, job, is_empty).await
    }

    async fn remains(&self, job: JobId, in_use: &BTreeSet<u64>) -> Result<Remains, StoreError> {
        if in_use.is_empty() {
            return Ok(Remains::Nothing);
        }
        let mut attempts = BTreeSet::new();
        for segment in self.ledger.segments(job).await? {
            if in_use.range(segment.indexes()).next().is_some() {
                let verdicts = self.ledger.verdicts(job, segment).await?.into_iter();
                let used = verdicts.filter(|verdict| in_use.contains(&verdict.index));
                attempts.extend(used.map(|verdict| verdict.staged));
            }
        }
        Ok(Remains::Outputs(attempts))
    }

    async fn remove_old_logs(
        &self,
        jobs: &[JobId],
        removed: &mut Removed,
    ) -> Result<(), StoreError> {
        let now = Timestamp::now();
        for job in jobs {
            // A job ends after its id was made, and later jobs later still.
            if OldLogs::of(job.time(), now, &self.limits) == OldLogs::None || self.effort.is_over()
            {
                break;
            }
            let Some(finished) = self.record(*job).await?.and_then(|record| record.finished) else {
                continue;
            };
            let old = OldLogs::of(finished, now, &self.limits);
            if !old.is_done(&self.ledger.removed_logs(*job).await?) {
                self.remove_logs(*job, old, &mut removed.space).await?;
            }
        }
        Ok(())
    }

    async fn remove_logs(
        &self,
        job: JobId,
        old: OldLogs,
        space: &mut SpaceByKind,
    ) -> Result<(), StoreError> {
        let mut is_success = Vec::new();
        if old != OldLogs::All {
            for segment in self.ledger.segments(job).await? {
                for verdict in self.ledger.verdicts(job, segment).await? {
                    let at = usize::try_from(verdict.index).unwrap_or(usize::MAX);
                    if is_success.len() <= at {
                        is_success.resize(at + 1, false);
                    }
                    is_success[at] = verdict.state == VerdictState::Success;
                }
            }
        }
        let is_old = move |path: &str| {
            let file = path.rsplit('/').next().unwrap_or(path);
            let index = file
                .split('.')
                .next()
                .and_then(|index| index.parse::<usize>().ok());
            let is_success = index.is_some_and(|at| is_success.get(at).copied().unwrap_or(false));
            old.contains(is_success)
        };
        let logs = (&layout::log_shards(job), "logs/");
        remove(
            self.ledger.store(),
            logs,
            Arc::new(is_old),
            self.dry_run,
            space,
        )
        .await?;
        if self.dry_run {
            return Ok(());
        }
        self.ledger.note_removed_logs(job, old.name()).await
    }
}
