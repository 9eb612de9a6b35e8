//! The job store on top of the ledger.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobRecord;
use drover_shared::ledger::{LeaderTerm, Ledger, PipelineChange, RegistryError, TermError};
use drover_shared::store::StoreError;
use jiff::Timestamp;
use serde_json::Value;

use super::{JobBacklog, JobStore, JobStoreError};

/// A job store that reads and writes a ledger. Every write carries the leader's term.
#[derive(Clone, Debug)]
pub struct LedgerJobStore {
    ledger: Ledger,
    term: LeaderTerm,
}

impl LedgerJobStore {
    /// A job store on `ledger`, for the leader of `term`.
    pub fn new(ledger: Ledger, term: LeaderTerm) -> Self {
        Self { ledger, term }
    }

    /// Deletes the pipeline, if the pipeline is registered.
    async fn delete(&self, pipeline: &PipelineName) -> Result<(), JobStoreError> {
        let deleted = self
            .ledger
            .change_pipeline_in_term(pipeline, &PipelineChange::Delete, &self.term)
            .await;
        match deleted {
            Ok(_) | Err(TermError::Registry(RegistryError::Missing(_))) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The newest job that is not yet folded into the done index, or else `last_reported`, which may have finished and
    /// been folded since.
    async fn last_job(
        &self,
        pipeline: &PipelineName,
        last_reported: Option<JobId>,
    ) -> Result<Option<JobRecord>, JobStoreError> {
        let unfolded = self.ledger.unfolded(pipeline).await?.pop();
        let Some(job) = unfolded.max(last_reported) else {
            return Ok(None);
        };
        match self.ledger.job(job).await {
            Ok(record) => Ok(Some(record)),
            // The job's records are being created or were deleted.
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait]
impl JobStore for LedgerJobStore {
    async fn register(&self, pipeline: &PipelineName, spec: &Value) -> Result<(), JobStoreError> {
        let change = PipelineChange::Put(spec.clone());
        self.ledger
            .change_pipeline_in_term(pipeline, &change, &self.term)
            .await?;
        Ok(())
    }

    async fn unregister(&self, pipeline: &PipelineName) -> Result<u64, JobStoreError> {
        // The pipeline is deleted before its jobs are stopped, so no new job starts.
        self.delete(pipeline).await?;
        let open = self.ledger.submitted(pipeline).await?;
        // Fails if a later leader has registered the pipeline again: its jobs must not be stopped.
        self.delete(pipeline).await?;
        for (record, _) in &open {
            self.ledger.request_stop(record.id).await?;
        }
        Ok(open.len() as u64)
    }

    async fn registered(&self) -> Result<Vec<PipelineName>, JobStoreError> {
        Ok(self.ledger.pipelines_of_lease(&self.term.lease).await?)
    }

    async fn in_need(&self, pipeline: &PipelineName) -> Result<u64, JobStoreError> {
        let mut in_need = 0;
        for (record, _) in self.ledger.submitted(pipeline).await? {
            in_need += self.ledger.datums_in_need(record.id).await?;
        }
        Ok(in_need)
    }

    async fn note_out_of_memory(
        &self,
        pipeline: &PipelineName,
        killed: &[(String, RangeInclusive<Timestamp>)],
    ) -> Result<(), JobStoreError> {
        Ok(self.ledger.note_out_of_memory(pipeline, killed).await?)
    }

    async fn backlog(
        &self,
        pipeline: &PipelineName,
        last_reported: Option<JobId>,
    ) -> Result<JobBacklog, JobStoreError> {
        let open = self.ledger.submitted(pipeline).await?;
        let outstanding = open.iter().map(|(record, _)| record.datums.outstanding());
        let newest = open.last().map(|(record, _)| record.clone());
        Ok(JobBacklog {
            unfinished_jobs: open.len() as u64,
            outstanding: outstanding.sum(),
            last_job: match newest {
                Some(record) => Some(record),
                None => self.last_job(pipeline, last_reported).await?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::job::{Counts, JobState};
    use drover_shared::ledger::{Scope, Submission};
    use drover_shared::store::Store;
    use serde_json::json;

    use super::*;

    fn job_store(ledger: &Ledger, transitions: u64) -> LedgerJobStore {
        let term = LeaderTerm {
            lease: "farm/drover-operator".to_owned(),
            transitions,
        };
        LedgerJobStore::new(ledger.clone(), term)
    }

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
            keep_going: false,
            halt: None,
            after: vec![],
            fingerprint: None,
            trace: None,
        };
        ledger
            .submit(&record, &json!({}), &submission)
            .await
            .unwrap();
        record
    }

    #[tokio::test]
    async fn outstanding_datums_are_counted_over_all_unfinished_jobs() {
        let ledger = Ledger::new(Store::in_memory());
        let job_store = job_store(&ledger, 1);
        let name = "thumbs".parse().unwrap();
        assert_eq!(
            job_store.backlog(&name, None).await.unwrap(),
            JobBacklog::default()
        );
        let mut first = submitted(&ledger, 10, 4).await;
        let second = submitted(&ledger, 5, 0).await;
        let backlog = job_store.backlog(&name, None).await.unwrap();
        assert_eq!((backlog.unfinished_jobs, backlog.outstanding), (2, 11));
        assert_eq!(backlog.last_job, Some(second));
        first.state = JobState::Success;
        ledger.save(&first).await.unwrap();
        let backlog = job_store.backlog(&name, None).await.unwrap();
        assert_eq!((backlog.unfinished_jobs, backlog.outstanding), (1, 5));
    }

    #[tokio::test]
    async fn the_outcome_of_a_folded_job_is_found() {
        let ledger = Ledger::new(Store::in_memory());
        let job_store = job_store(&ledger, 1);
        let name = "thumbs".parse().unwrap();
        let mut job = submitted(&ledger, 0, 0).await;
        let last_reported = job_store
            .backlog(&name, None)
            .await
            .unwrap()
            .last_job
            .unwrap()
            .id;
        job.state = JobState::Success;
        ledger.save(&job).await.unwrap();
        ledger.fold(&name, job.id).await.unwrap();
        assert_eq!(job_store.backlog(&name, None).await.unwrap().last_job, None);
        assert_eq!(
            job_store
                .backlog(&name, Some(last_reported))
                .await
                .unwrap()
                .last_job,
            Some(job)
        );
        let gone = JobId::generate();
        assert_eq!(
            job_store.backlog(&name, Some(gone)).await.unwrap().last_job,
            None
        );
    }

    #[tokio::test]
    async fn an_unregistered_pipeline_is_gone_and_its_jobs_are_asked_to_stop() {
        let ledger = Ledger::new(Store::in_memory());
        let job_store = job_store(&ledger, 1);
        let name = "thumbs".parse().unwrap();
        job_store
            .register(&name, &json!({ "spec": 1 }))
            .await
            .unwrap();
        job_store
            .register(&name, &json!({ "spec": 1 }))
            .await
            .unwrap();
        assert_eq!(ledger.registered(&name).await.unwrap().unwrap().revision, 1);
        let mut job = submitted(&ledger, 10, 0).await;
        assert_eq!(job_store.unregister(&name).await.unwrap(), 1);
        assert_eq!(ledger.registered(&name).await.unwrap(), None);
        assert!(ledger.stop_requested(job.id).await.unwrap());
        job.state = JobState::Killed;
        ledger.save(&job).await.unwrap();
        assert_eq!(
            job_store.unregister(&name).await.unwrap(),
            0,
            "unregistering may be repeated"
        );
        assert_eq!(
            job_store.backlog(&name, None).await.unwrap().last_job,
            Some(job)
        );
    }

    #[tokio::test]
    async fn a_leader_that_was_replaced_changes_nothing_any_more() {
        let ledger = Ledger::new(Store::in_memory());
        let (before, now) = (job_store(&ledger, 1), job_store(&ledger, 2));
        let name = "thumbs".parse().unwrap();
        before.register(&name, &json!({ "spec": 1 })).await.unwrap();
        now.register(&name, &json!({ "spec": 1 })).await.unwrap();
        let job = submitted(&ledger, 10, 0).await;
        let refused = [
            before.register(&name, &json!({ "spec": 2 })).await,
            before.unregister(&name).await.map(|_| ()),
        ];
        for refused in refused {
            assert!(matches!(refused, Err(JobStoreError::Superseded(_))));
        }
        assert!(!ledger.stop_requested(job.id).await.unwrap());
        let registered = ledger.registered(&name).await.unwrap().unwrap();
        assert_eq!(registered.spec, json!({ "spec": 1 }));
        assert_eq!(now.unregister(&name).await.unwrap(), 1);
        assert!(ledger.stop_requested(job.id).await.unwrap());
    }

    #[tokio::test]
    async fn datums_that_need_a_large_worker_are_counted_until_they_have_a_verdict() {
        let ledger = Ledger::new(Store::in_memory());
        let job_store = job_store(&ledger, 1);
        let name = "thumbs".parse().unwrap();
        assert_eq!(job_store.in_need(&name).await.unwrap(), 0);
        let job = submitted(&ledger, 10, 4).await.id;
        let worker = "pod-1-0123456789".parse().unwrap();
        ledger.mark_attempt(job, 3, "claim", &worker).await.unwrap();
        for index in [3, 7] {
            ledger.note_too_little(job, index, 5).await.unwrap();
        }
        assert_eq!(job_store.in_need(&name).await.unwrap(), 2);
        ledger.forget_too_little(job, 3).await.unwrap();
        assert_eq!(job_store.in_need(&name).await.unwrap(), 1);
    }
}
