//! The books of a real store.

use async_trait::async_trait;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobRecord;
use drover_shared::ledger::{Ledger, PipelineChange, RegistryError};
use drover_shared::store::StoreError;
use serde_json::Value;

use super::{Books, BooksError, Work};

/// The books of a real store.
#[derive(Clone, Debug)]
pub struct LedgerBooks {
    ledger: Ledger,
}

impl LedgerBooks {
    /// The books kept in `ledger`.
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    /// The newest job that is not folded into the done index yet, or the one that was told of last, which may have ended
    /// and been folded since.
    async fn last_job(
        &self,
        pipeline: &PipelineName,
        told: Option<JobId>,
    ) -> Result<Option<JobRecord>, BooksError> {
        let unfolded = self.ledger.unfolded(pipeline).await?.pop();
        let Some(job) = unfolded.max(told) else {
            return Ok(None);
        };
        match self.ledger.job(job).await {
            Ok(record) => Ok(Some(record)),
            // Its books are just being opened, or are gone.
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait]
impl Books for LedgerBooks {
    async fn stand(&self, pipeline: &PipelineName, spec: &Value) -> Result<(), BooksError> {
        let put = PipelineChange::Put(spec.clone());
        self.ledger.change_pipeline(pipeline, &put).await?;
        Ok(())
    }

    async fn fell(&self, pipeline: &PipelineName) -> Result<u64, BooksError> {
        // First, so that no job is started any more.
        match self
            .ledger
            .change_pipeline(pipeline, &PipelineChange::Delete)
            .await
        {
            Ok(_) | Err(RegistryError::Missing(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let open = self.ledger.submitted(pipeline).await?;
        for (record, _) in &open {
            self.ledger.request_stop(record.id).await?;
        }
        Ok(open.len() as u64)
    }

    async fn work(&self, pipeline: &PipelineName, told: Option<JobId>) -> Result<Work, BooksError> {
        let open = self.ledger.submitted(pipeline).await?;
        let outstanding = open.iter().map(|(record, _)| record.datums.outstanding());
        let newest = open.last().map(|(record, _)| record.clone());
        Ok(Work {
            unfinished_jobs: open.len() as u64,
            outstanding: outstanding.sum(),
            last_job: match newest {
                Some(record) => Some(record),
                None => self.last_job(pipeline, told).await?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::job::{Counts, JobState};
    use drover_shared::ledger::{Scope, Submission};
    use drover_shared::store::Store;
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    async fn submitted(ledger: &Ledger, total: u64, processed: u64) -> JobRecord {
        let pipeline = "thumbs".parse().unwrap();
        let mut record = JobRecord::new(JobId::generate(), pipeline, Timestamp::now());
        record.datums = Counts {
            total,
            processed,
            ..Counts::default()
        };
        let submission = Submission {
            scope: Scope::Everything,
            reprocess: false,
            after: vec![],
            fingerprint: None,
        };
        ledger
            .submit(&record, &json!({}), &submission)
            .await
            .unwrap();
        record
    }

    #[tokio::test]
    async fn what_is_outstanding_is_counted_over_all_jobs_that_have_not_ended() {
        let ledger = Ledger::new(Store::in_memory());
        let books = LedgerBooks::new(ledger.clone());
        let name = "thumbs".parse().unwrap();
        assert_eq!(books.work(&name, None).await.unwrap(), Work::default());
        let mut first = submitted(&ledger, 10, 4).await;
        let second = submitted(&ledger, 5, 0).await;
        let work = books.work(&name, None).await.unwrap();
        assert_eq!((work.unfinished_jobs, work.outstanding), (2, 11));
        assert_eq!(work.last_job, Some(second));
        first.state = JobState::Success;
        ledger.save(&first).await.unwrap();
        let work = books.work(&name, None).await.unwrap();
        assert_eq!((work.unfinished_jobs, work.outstanding), (1, 5));
    }

    #[tokio::test]
    async fn how_a_job_ended_is_found_when_it_is_folded_already() {
        let ledger = Ledger::new(Store::in_memory());
        let books = LedgerBooks::new(ledger.clone());
        let name = "thumbs".parse().unwrap();
        let mut job = submitted(&ledger, 0, 0).await;
        let told = books.work(&name, None).await.unwrap().last_job.unwrap().id;
        job.state = JobState::Success;
        ledger.save(&job).await.unwrap();
        ledger.fold(&name, job.id).await.unwrap();
        assert_eq!(books.work(&name, None).await.unwrap().last_job, None);
        assert_eq!(
            books.work(&name, Some(told)).await.unwrap().last_job,
            Some(job)
        );
        let gone = JobId::generate();
        assert_eq!(books.work(&name, Some(gone)).await.unwrap().last_job, None);
    }

    #[tokio::test]
    async fn a_felled_pipeline_stands_no_more_and_its_jobs_are_asked_to_stop() {
        let ledger = Ledger::new(Store::in_memory());
        let books = LedgerBooks::new(ledger.clone());
        let name = "thumbs".parse().unwrap();
        books.stand(&name, &json!({ "spec": 1 })).await.unwrap();
        books.stand(&name, &json!({ "spec": 1 })).await.unwrap();
        assert_eq!(ledger.registered(&name).await.unwrap().unwrap().revision, 1);
        let mut job = submitted(&ledger, 10, 0).await;
        assert_eq!(books.fell(&name).await.unwrap(), 1);
        assert_eq!(ledger.registered(&name).await.unwrap(), None);
        assert!(ledger.stop_requested(job.id).await.unwrap());
        job.state = JobState::Killed;
        ledger.save(&job).await.unwrap();
        assert_eq!(books.fell(&name).await.unwrap(), 0, "it may be done again");
        assert_eq!(books.work(&name, None).await.unwrap().last_job, Some(job));
    }
}
