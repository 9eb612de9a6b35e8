//! Writes the output folder as its only writer.
//!
//! In a folder the writer holds a lock that the kernel frees when the process ends, and checks its epoch under the lock:
//! a frozen writer blocks its successor, and a deposed process never starts. A bucket has no locks, and a request may
//! arrive long after its sender was replaced. There each publication leaves a mark until it has ended; a publication that
//! finds the mark of another looks at the folder once more after the longest time that a request may take.
//! Either way the publication has a number, and a later number supersedes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::ledger::{Ledger, PipelineLock, PublicationNumber};
use drover_shared::pipeline::OutputConflict;
use drover_shared::process::host_name;
use drover_shared::store::{StoreError, layout};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::coordinator::error::is_passing;
use crate::coordinator::store_retry::retry_passing_trouble;
use crate::coordinator::track::live::LiveJob;
use crate::coordinator::{Assignment, CoordinateError, Fence, JobContext, Snapshot};
use crate::output::{
    self, FileProgress, LatestLook, OutputError, OutputRequest, OutputSummary, RECENT,
};

/// Interval between attempts to acquire the lock.
const RETRY: Duration = Duration::from_millis(200);
/// Interval between two looks for a later leader or publication.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks that fail for so long end the publication, as changes would that fail.
const LOOKS_FAIL: Duration = Duration::from_mins(2);
/// The longest time between the first attempt of a request to a bucket and its arrival: the store retries for 30 seconds
/// and gives an attempt 60 seconds.
const REQUEST_LIFETIME: Duration = Duration::from_secs(90);
/// The longest time between the last look of a superseded publication and the arrival of its last request.
const LATEST_ARRIVAL: Duration = RECENT.saturating_add(REQUEST_LIFETIME);

/// The outcome of a publication: the written files, or the reason why the job fails.
type Published = Result<OutputSummary, OutputError>;

/// A publication. Owns all its data, so a publication ends in order even if the job is given up meanwhile.
#[derive(Clone)]
pub(crate) struct Publication {
    ledger: Ledger,
    fence: Fence,
    pipeline: PipelineName,
    job: JobId,
    redone: BTreeMap<u64, u64>,
    from_start: bool,
    conflict: OutputConflict,
    scratch: PathBuf,
    watch: watch::Sender<Snapshot>,
    stop: CancellationToken,
}

impl Publication {
    pub(crate) fn new(
        context: &JobContext,
        assignment: &Assignment,
        live: &LiveJob,
        stop: &CancellationToken,
    ) -> Self {
        Self {
            ledger: context.ledger.clone(),
            fence: context.fence.clone(),
            pipeline: assignment.pipeline.name.clone(),
            job: live.job(),
            redone: live.tally.redone().clone(),
            from_start: live.from_start,
            conflict: assignment.pipeline.output_conflict,
            scratch: context.scratch.clone(),
            watch: context.watch.clone(),
            stop: stop.clone(),
        }
    }

    /// Publishes. If the future is dropped, the publication is stopped but keeps its lock until its last change has ended.
    ///
    /// # Errors
    /// The outer error goes to the successor of the current leader, if there can be one; the inner one fails the job. Where
    /// no successor can be, trouble of the store that may pass is waited for.
    pub(crate) async fn run(self) -> Result<Published, CoordinateError> {
        let stop_when_dropped = self.stop.clone().drop_guard();
        let what = format!("publishing the output of {}", self.pipeline);
        let published = retry_passing_trouble(&self.fence, &self.stop, &what, || {
            self.clone().write_in_order()
        })
        .await;
        stop_when_dropped.disarm();
        match published {
            published if self.fence.has_successors() => published,
            Err(_) if self.stop.is_cancelled() => Ok(Err(OutputError::Stopped)),
            Err(CoordinateError::Store(error)) => Ok(Err(OutputError::Store(error))),
            Err(CoordinateError::Machine(error)) => Ok(Err(OutputError::Scratch(error))),
            published => published,
        }
    }

    /// Publishes in a task of its own. Passing trouble of store and scratch space is an outer error.
    async fn write_in_order(self) -> Result<Published, CoordinateError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "a dropped publication ends in order, and its lock keeps others waiting until then"
        )]
        let written = tokio::spawn(self.write()).await;
        match written.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))? {
            Err(OutputError::Store(error)) if is_passing(&error) => Err(error.into()),
            Err(OutputError::Scratch(error)) => Err(error.into()),
            published => Ok(published),
        }
    }

    async fn write(self) -> Result<Published, CoordinateError> {
        let Some(_lock) = self
            .stop
            .run_until_cancelled(lock_output(&self.ledger, &self.pipeline))
            .await
            .transpose()?
        else {
            return Ok(Err(OutputError::Stopped));
        };
        self.fence.check().await?;
        // Under the lock no other process can claim a later number.
        let number = self.claim().await?;
        let mark = self.mark().await?;
        let Some((mark, others)) = mark else {
            return Ok(self.write_once(false, &LatestLook::not_needed()).await);
        };
        let is_contested = !others.is_empty();
        let mut published = self.write_until_superseded(number, is_contested).await?;
        if published.is_ok() && is_contested {
            sleep(LATEST_ARRIVAL).await;
            self.fence.check().await?;
            published = self.write_until_superseded(number, false).await?;
            self.ledger.store().delete_each(others).await?;
        }
        self.ledger.store().delete(&mark).await?;
        Ok(published)
    }

    /// Claims the publication; an ended job is left alone.
    async fn claim(&self) -> Result<PublicationNumber, CoordinateError> {
        let term = self.fence.term();
        let claimed = self
            .ledger
            .claim_publication(&self.pipeline, self.job, term);
        claimed.await?.ok_or(CoordinateError::Deposed)
    }

    /// Writes without a lock; a mark of a deposed writer stays for its successor.
    async fn write_until_superseded(
        &self,
        number: PublicationNumber,
        is_contested: bool,
    ) -> Result<Published, CoordinateError> {
        let (looks, latest) = LatestLook::of_looks();
        tokio::select! {
            biased;
            ended = self.look(number, &looks) => Err(ended),
            published = self.write_once(is_contested, &latest) => Ok(published),
        }
    }

    /// Looks at epoch and number again and again. Returns once the publication is superseded, or the store fails for long.
    async fn look(
        &self,
        number: PublicationNumber,
        looks: &watch::Sender<Option<Instant>>,
    ) -> CoordinateError {
        let mut latest = Instant::now();
        loop {
            let begin = Instant::now();
            match self.check(number).await {
                Ok(()) => {
                    latest = begin;
                    looks.send_replace(Some(begin));
                }
                Err(CoordinateError::Deposed) => return CoordinateError::Deposed,
                Err(error) if latest.elapsed() > LOOKS_FAIL => return error,
                Err(_) => {}
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// [`CoordinateError::Deposed`] if there is a later leader or publication.
    async fn check(&self, number: PublicationNumber) -> Result<(), CoordinateError> {
        self.fence.check().await?;
        let latest = self
            .ledger
            .is_latest_publication(&self.pipeline, number)
            .await?;
        if latest {
            Ok(())
        } else {
            Err(CoordinateError::Deposed)
        }
    }

    async fn write_once(&self, is_contested: bool, look: &LatestLook) -> Published {
        let request = OutputRequest {
            ledger: &self.ledger,
            pipeline: &self.pipeline,
            job: self.job,
            redone: &self.redone,
            from_start: self.from_start,
            conflict: self.conflict,
            scratch: &self.scratch,
            stop: &self.stop,
            is_contested,
            look,
        };
        let progress = |files: FileProgress| {
            self.watch
                .send_modify(|snapshot| snapshot.files = Some(files));
        };
        output::write_output(request, &progress).await
    }

    /// Leaves a mark in a bucket; returns the mark, and the marks of publications that have not ended.
    async fn mark(&self) -> Result<Option<Marks>, StoreError> {
        let store = self.ledger.store();
        if store.local_root().is_some() {
            return Ok(None);
        }
        let mark = layout::publication(&self.pipeline, &JobId::generate().to_string());
        let others = store.names(&layout::publications(&self.pipeline)).await?;
        let others = others
            .iter()
            .map(|other| layout::publication(&self.pipeline, other));
        let others = others.collect();
        store.create(&mark, self.job.to_string().into()).await?;
        Ok(Some((mark, others)))
    }
}

/// Settles an interrupted publication, if any.
pub(crate) async fn settle(ledger: &Ledger, pipeline: &PipelineName) -> Result<(), StoreError> {
    if !output::has_undo_log(ledger.store(), pipeline).await? {
        return Ok(());
    }
    let _lock = lock_output(ledger, pipeline).await?;
    output::settle(ledger, pipeline).await
}

/// Makes the changes of `job` final. A successor with the lock settles the changes by itself.
pub(crate) async fn keep_changes(
    ledger: &Ledger,
    pipeline: &PipelineName,
    job: JobId,
) -> Result<(), StoreError> {
    match ledger.try_lock_output(pipeline, &holder()).await? {
        Some(_lock) => output::keep_changes(ledger.store(), pipeline, job).await,
        None => Ok(()),
    }
}

/// The lock on the output folder. A holder of long standing is named.
async fn lock_output(ledger: &Ledger, pipeline: &PipelineName) -> Result<PipelineLock, StoreError> {
    let who = holder();
    let mut is_told = false;
    loop {
        if let Some(lock) = ledger.try_lock_output(pipeline, &who).await? {
            return Ok(lock);
        }
        if !is_told {
            is_told = true;
            tracing::warn!(
                pipeline.name = %pipeline,
                "waiting for the output folder {pipeline}, which {} is writing; end that process if it is frozen",
                ledger.output_lock_holder(pipeline).await,
            );
        }
        sleep(RETRY).await;
    }
}

/// The text that names the process to people.
fn holder() -> String {
    format!("process {} on {}", std::process::id(), host_name())
}

/// A mark, and the marks of others.
type Marks = (
    drover_shared::store::StoreKey,
    Vec<drover_shared::store::StoreKey>,
);
