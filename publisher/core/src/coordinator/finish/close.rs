//! From the last datum to the final record: output folder, egress, done index.

use std::pin::pin;
use std::time::Instant;

use drover_shared::causes::with_causes;
use drover_shared::id::{DatumId, JobId};
use drover_shared::job::{JobEvent, JobRecord, JobState};
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use tokio_util::sync::CancellationToken;

use super::egress::{Egress, EgressError};
use super::estimate::estimate;
use super::publication::{self, Publication};
use crate::coordinator::store_retry::retry_passing_trouble;
use crate::coordinator::track::live::LiveJob;
use crate::coordinator::{Assignment, CoordinateError, JobContext};
use crate::output::{FileProgress, OutputError, OutputSummary};

/// A job whose datums have ended, or a stopped job.
pub(crate) struct JobFinish<'a> {
    pub(crate) assignment: &'a Assignment,
    pub(crate) context: &'a JobContext,
    /// True if datums with lost output may run again; else the job fails.
    pub(crate) may_redo: bool,
}

/// How a job left [`JobFinish`].
pub(crate) enum Ended {
    /// With its final record.
    Final(Box<JobRecord>),
    /// The stored output of the given places is lost; no output was published.
    OutputLost(Vec<u64>),
}

/// Effect of publication and egress on the job.
enum Produced {
    /// The job is in its final state; the output of these places is lost.
    Ended(Vec<u64>),
    /// The output of these places is lost, and their datums may run again.
    Lost(Vec<u64>),
}

/// Result of publication and egress.
enum OutputOutcome {
    /// The output folder and the egress copy are complete.
    Written,
    /// The job was stopped.
    Stopped,
    /// Publication or egress failed.
    Failed {
        reason: String,
        /// Indexes of datums whose staged output is lost.
        lost: Vec<u64>,
    },
}

impl JobFinish<'_> {
    /// Finishes the job after `event` and returns the final record.
    pub(crate) async fn run(
        &self,
        live: &mut LiveJob,
        event: JobEvent,
    ) -> Result<Ended, CoordinateError> {
        let mut lost = Vec::new();
        match event {
            JobEvent::Completed => match self.produce_output(live).await? {
                Produced::Ended(output_lost) => lost = output_lost,
                Produced::Lost(lost) => return Ok(Ended::OutputLost(lost)),
            },
            _ if live.tally.counts().failed > 0 => live.give_reason(live.failure_reason()),
            _ => {}
        }
        let record = self.close(live, lost).await?;
        Ok(Ended::Final(Box::new(record)))
    }

    /// Publishes and copies unless stopped, and enters the final state unless datums must run again.
    async fn produce_output(&self, live: &mut LiveJob) -> Result<Produced, CoordinateError> {
        let halt = CancellationToken::new();
        let mut why = None;
        let outcome = {
            let mut work = pin!(self.publish_and_copy(live, &halt));
            tokio::select! {
                outcome = &mut work => outcome?,
                reason = self.context.control.stopped() => {
                    why = Some(reason);
                    halt.cancel();
                    work.await?
                }
            }
        };
        let (event, lost) = match outcome {
            OutputOutcome::Failed { lost, .. }
                if self.may_redo && why.is_none() && !lost.is_empty() =>
            {
                return Ok(Produced::Lost(lost));
            }
            OutputOutcome::Written => (JobEvent::Finished, Vec::new()),
            OutputOutcome::Stopped => {
                live.give_reason(why.unwrap_or_default());
                (JobEvent::Stopped, Vec::new())
            }
            OutputOutcome::Failed { reason, lost } => {
                live.give_reason(reason);
                (JobEvent::Failed, lost)
            }
        };
        live.enter(event)?;
        Ok(Produced::Ended(lost))
    }

    async fn publish_and_copy(
        &self,
        live: &mut LiveJob,
        halt: &CancellationToken,
    ) -> Result<OutputOutcome, CoordinateError> {
        let files = match self.publish(live, halt).await? {
            Ok(published) => published.files,
            Err(OutputError::Stopped) => return Ok(OutputOutcome::Stopped),
            Err(error) => return Ok(failed(error)),
        };
        let Some(url) = &self.assignment.pipeline.egress else {
            return Ok(OutputOutcome::Written);
        };
        live.enter(JobEvent::Published)?;
        let (ledger, pipeline) = (&self.context.ledger, &self.assignment.pipeline.name);
        let what = format!("forcing the output of {pipeline} to the disk");
        retry_passing_trouble(&self.context.fence, halt, &what, || async {
            Ok(ledger.sync(pipeline).await?)
        })
        .await?;
        self.context
            .show(live.snapshot(Instant::now()), true)
            .await?;
        self.keep_changes(live.job()).await?;
        match self.copy(url, files, halt).await {
            Ok(()) => Ok(OutputOutcome::Written),
            Err(EgressError::Stopped) => Ok(OutputOutcome::Stopped),
            Err(error) => Ok(OutputOutcome::Failed {
                reason: with_causes(&error),
                lost: Vec::new(),
            }),
        }
    }

    async fn publish(
        &self,
        live: &LiveJob,
        halt: &CancellationToken,
    ) -> Result<Result<OutputSummary, OutputError>, CoordinateError> {
        let pipeline = &self.assignment.pipeline.name;
        let published = Publication::new(self.context, self.assignment, live, halt)
            .run()
            .await?;
        if let Ok(OutputSummary {
            foreign: Some((count, first)),
            ..
        }) = &published
        {
            tracing::warn!(
                pipeline.name = %pipeline,
                "{count} files in the output folder {pipeline} are not Drover's and stay there, first {first}",
            );
        }
        Ok(published)
    }

    async fn copy(
        &self,
        url: &str,
        files: u64,
        halt: &CancellationToken,
    ) -> Result<(), EgressError> {
        let egress = Egress {
            store: self.context.ledger.store(),
            pipeline: &self.assignment.pipeline.name,
            url,
            scratch: &self.context.scratch,
            stop: halt,
        };
        egress
            .copy(&|done| {
                self.context.show_files(FileProgress {
                    done,
                    total: files.max(done),
                });
            })
            .await
    }

    /// Saves the final record and folds successes into the done index. Reports on a killed job may still arrive, so the
    /// next job folds it.
    async fn close(
        &self,
        live: &mut LiveJob,
        lost: Vec<u64>,
    ) -> Result<JobRecord, CoordinateError> {
        let ledger = &self.context.ledger;
        self.estimate(live).await?;
        let record = live.record();
        let what = format!("the final record of job {}", record.id);
        let (fence, never) = (&self.context.fence, CancellationToken::new());
        retry_passing_trouble(fence, &never, &what, || async {
            fence.check().await?;
            Ok(save_final(ledger, &record, live).await?)
        })
        .await?;
        if record.state == JobState::Success {
            self.keep_changes(record.id).await?;
        }
        self.context
            .show(live.snapshot(Instant::now()), false)
            .await?;
        self.learn(live).await;
        if record.state == JobState::Killed {
            return Ok(record);
        }
        let pipeline = &self.assignment.pipeline.name;
        if let Err(error) = ledger.fold(pipeline, record.id).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(job.id = %record.id, error, "cannot fold job {} into the done index; the next job will", record.id);
        } else if !lost.is_empty() {
            ledger
                .forget(pipeline, &self.datum_ids(record.id, &lost).await?)
                .await?;
        }
        Ok(record)
    }

    /// Notes the estimate for the whole job, if the job of `live` ran only the first datums.
    async fn estimate(&self, live: &mut LiveJob) -> Result<(), CoordinateError> {
        let record = live.record();
        let Some(first) = record.first else {
            return Ok(());
        };
        // Without a broker the workers have one slot for each datum that runs at the same time.
        let is_local = self.context.fence.term().is_none();
        let slots = is_local.then_some(self.context.workers.get());
        let what = format!("the estimate of job {}", record.id);
        let (fence, never) = (&self.context.fence, CancellationToken::new());
        let estimated = retry_passing_trouble(fence, &never, &what, || async {
            Ok(estimate(&self.context.ledger, record.id, first.of, slots).await?)
        });
        live.set_estimate(estimated.await?);
        Ok(())
    }

    /// Keeps what the datums needed, for the predictions of later jobs, which are only less good without.
    async fn learn(&self, live: &LiveJob) {
        let learned = live.tally.learned();
        if learned.is_empty() {
            return;
        }
        let Assignment {
            pipeline, record, ..
        } = self.assignment;
        let ledger = &self.context.ledger;
        if let Err(error) = ledger.learn_usage(&pipeline.name, record.id, learned).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(job.id = %record.id, error, "the memory that the datums needed cannot be kept for predictions");
        }
    }

    /// The output of the job stays from now on, whatever happens.
    async fn keep_changes(&self, job: JobId) -> Result<(), StoreError> {
        let pipeline = &self.assignment.pipeline.name;
        publication::keep_changes(&self.context.ledger, pipeline, job).await
    }

    /// The ids of the datums at `datums`, which are ascending indexes.
    async fn datum_ids(&self, job: JobId, datums: &[u64]) -> Result<Vec<DatumId>, StoreError> {
        let mut ids = Vec::new();
        for segment in self.context.ledger.segments(job).await? {
            if datums.iter().any(|index| segment.contains(*index)) {
                let entries = self.context.ledger.manifest(job, segment).await?;
                let lost = entries
                    .iter()
                    .filter(|entry| datums.binary_search(&entry.datum.index).is_ok());
                ids.extend(lost.map(|entry| entry.datum.id));
            }
        }
        Ok(ids)
    }
}

fn failed(error: OutputError) -> OutputOutcome {
    let reason = with_causes(&error);
    match error {
        OutputError::Lost { datums } => OutputOutcome::Failed {
            reason,
            lost: datums,
        },
        _ => OutputOutcome::Failed {
            reason,
            lost: Vec::new(),
        },
    }
}

/// Saves the final record of a job, and its failures, after everything that the job wrote was forced to the disk.
pub(crate) async fn save_final(
    ledger: &Ledger,
    record: &JobRecord,
    live: &LiveJob,
) -> Result<(), StoreError> {
    ledger
        .save_failures(record.id, live.tally.failures())
        .await?;
    ledger.sync(&record.pipeline).await?;
    if live.from_start {
        ledger.mark_synced(record.id).await?;
    }
    ledger.save_final(record).await
}
