//! From the last datum to the final record: publication, egress, and the closing of the books.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Instant;

use drover_shared::id::DatumId;
use drover_shared::job::{JobEvent, JobRecord, JobState};
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use tokio_util::sync::CancellationToken;

use super::egress::{Egress, EgressError};
use crate::coordinator::reason::chain;
use crate::coordinator::track::live::Live;
use crate::coordinator::{Assignment, CoordinateError, Tools};
use crate::output::{self, FileProgress, PublicationError, Published, Request};

/// A job whose datums have ended, or which is stopped.
pub(crate) struct Finish<'a> {
    pub(crate) assignment: &'a Assignment,
    pub(crate) tools: &'a Tools,
}

/// How it went to bring the output out.
enum Outcome {
    /// It lies where it belongs.
    Out,
    /// Somebody asked to stop.
    Stopped,
    /// It could not be brought out.
    Failed {
        reason: String,
        /// Datums, by index, whose stored output is lost.
        lost: Vec<u64>,
    },
}

impl Finish<'_> {
    /// Sees the job to its final record, after `event`. `stop` tells why it is to be stopped, if it is.
    pub(crate) async fn run(
        &self,
        live: &mut Live,
        event: JobEvent,
        stop: Pin<&mut (impl Future<Output = String> + Send)>,
    ) -> Result<JobRecord, CoordinateError> {
        let mut lost = Vec::new();
        match event {
            JobEvent::Completed => lost = self.bring_out(live, stop).await?,
            _ if live.tally.counts().failed > 0 => live.give_reason(live.failure_reason()),
            _ => {}
        }
        self.close(live, lost).await
    }

    /// Publishes and copies, unless stopped; moves the job to its final state. Returns the datums whose output
    /// is lost.
    async fn bring_out(
        &self,
        live: &mut Live,
        stop: Pin<&mut (impl Future<Output = String> + Send)>,
    ) -> Result<Vec<u64>, CoordinateError> {
        let halt = CancellationToken::new();
        let mut why = None;
        let outcome = {
            let mut work = pin!(self.publish_and_copy(live, &halt));
            tokio::select! {
                outcome = &mut work => outcome?,
                reason = stop => {
                    why = Some(reason);
                    halt.cancel();
                    work.await?
                }
            }
        };
        let (event, lost) = match outcome {
            Outcome::Out => (JobEvent::Finished, Vec::new()),
            Outcome::Stopped => {
                live.give_reason(why.unwrap_or_default());
                (JobEvent::Stopped, Vec::new())
            }
            Outcome::Failed { reason, lost } => {
                live.give_reason(reason);
                (JobEvent::Failed, lost)
            }
        };
        live.enter(event)?;
        Ok(lost)
    }

    async fn publish_and_copy(
        &self,
        live: &mut Live,
        halt: &CancellationToken,
    ) -> Result<Outcome, CoordinateError> {
        self.tools.fence.check().await?;
        let files = match self.publish(live, halt).await {
            Ok(published) => published.files,
            Err(PublicationError::Stopped) => return Ok(Outcome::Stopped),
            Err(error) => return Ok(failed(error)),
        };
        let Some(url) = &self.assignment.pipeline.egress else {
            return Ok(Outcome::Out);
        };
        live.enter(JobEvent::Published)?;
        self.tools.show(live.snapshot(Instant::now()), true).await?;
        match self.copy(url, files, halt).await {
            Ok(()) => Ok(Outcome::Out),
            Err(EgressError::Stopped) => Ok(Outcome::Stopped),
            Err(error) => Ok(Outcome::Failed {
                reason: chain(&error),
                lost: Vec::new(),
            }),
        }
    }

    async fn publish(
        &self,
        live: &Live,
        halt: &CancellationToken,
    ) -> Result<Published, PublicationError> {
        let pipeline = &self.assignment.pipeline;
        let request = Request {
            ledger: &self.tools.ledger,
            pipeline: &pipeline.name,
            job: live.job(),
            conflict: pipeline.output_conflict,
            scratch: &self.tools.scratch,
            stop: halt,
        };
        let published = output::publish(request, &|files| self.tools.show_files(files)).await?;
        if let Some((count, first)) = &published.foreign {
            tracing::warn!(
                pipeline.name = %pipeline.name,
                "{count} files in the output folder {} are not Drover's and stay there, first {first}", pipeline.name,
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
            store: self.tools.ledger.store(),
            pipeline: &self.assignment.pipeline.name,
            url,
            scratch: &self.tools.scratch,
            stop: halt,
        };
        egress
            .copy(&|done| {
                self.tools.show_files(FileProgress {
                    done,
                    total: files.max(done),
                });
            })
            .await
    }

    /// Saves the final record, and adds what succeeded to what is done. A killed job may still be reported on,
    /// so the next job does that.
    async fn close(&self, live: &mut Live, lost: Vec<u64>) -> Result<JobRecord, CoordinateError> {
        let ledger = &self.tools.ledger;
        let record = live.record();
        self.tools.fence.check().await?;
        save_final(ledger, &record, live).await?;
        self.tools
            .show(live.snapshot(Instant::now()), false)
            .await?;
        if record.state == JobState::Killed {
            return Ok(record);
        }
        let pipeline = &self.assignment.pipeline.name;
        if let Err(error) = ledger.fold(pipeline, record.id).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(job.id = %record.id, error, "what job {} did is added to the done index by the next job", record.id);
        } else if !lost.is_empty() {
            ledger
                .forget(pipeline, &self.works(record.id, &lost).await?)
                .await?;
        }
        Ok(record)
    }

    /// The ids of datums, which are given by their indexes, ascending.
    async fn works(
        &self,
        job: drover_shared::id::JobId,
        datums: &[u64],
    ) -> Result<Vec<DatumId>, StoreError> {
        let mut works = Vec::new();
        for segment in self.tools.ledger.segments(job).await? {
            if datums.iter().any(|index| segment.contains(*index)) {
                let entries = self.tools.ledger.manifest(job, segment).await?;
                let lost = entries
                    .iter()
                    .filter(|entry| datums.binary_search(&entry.datum.index).is_ok());
                works.extend(lost.map(|entry| entry.datum.id));
            }
        }
        Ok(works)
    }
}

fn failed(error: PublicationError) -> Outcome {
    let reason = chain(&error);
    match error {
        PublicationError::Lost { datums } => Outcome::Failed {
            reason,
            lost: datums,
        },
        _ => Outcome::Failed {
            reason,
            lost: Vec::new(),
        },
    }
}

/// Saves the final record of a job, and its failures.
pub(crate) async fn save_final(
    ledger: &Ledger,
    record: &JobRecord,
    live: &Live,
) -> Result<(), StoreError> {
    ledger
        .save_failures(record.id, live.tally.failures())
        .await?;
    ledger.save(record).await
}
