//! Publications number the jobs whose output goes to a pipeline's output folder. A later number supersedes.

use serde::{Deserialize, Serialize};

use crate::id::{JobId, PipelineName};
use crate::ledger::Ledger;
use crate::ledger::records::{advice, to_json};
use crate::store::{StoreError, layout};

/// The number of a publication.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PublicationNumber(u64);

/// The job that is published under a number.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct PublicationRecord {
    job: JobId,
    /// The term of the leader that began; none without a broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    term: Option<u64>,
}

impl Ledger {
    /// Claims the next publication for a job; a job that has the latest number keeps it. None if the job has ended: another
    /// process has published the job, or must not.
    ///
    /// The record is created first, and the end of the job is looked at after. So a process that was frozen before the
    /// claim cannot publish a job over the output of a later one: jobs of a pipeline end before the next one begins.
    pub async fn claim_publication(
        &self,
        pipeline: &PipelineName,
        job: JobId,
        term: Option<u64>,
    ) -> Result<Option<PublicationNumber>, StoreError> {
        // The highest number that is taken, though a listing may not show it.
        let mut taken = 0;
        let number = loop {
            let numbers = self.publications(pipeline).await?;
            let latest = numbers.last().copied().unwrap_or_default().max(taken);
            if latest > 0 && self.published_job(pipeline, latest).await? == Some(job) {
                break latest;
            }
            let key = layout::output_publication(pipeline, latest + 1);
            let record = to_json(&key, &PublicationRecord { job, term })?;
            match self.store.create(&key, record).await {
                Ok(()) => {
                    let earlier = numbers.iter();
                    let earlier = earlier.map(|n| layout::output_publication(pipeline, *n));
                    self.store.delete_each(earlier.collect()).await?;
                    break latest + 1;
                }
                // Another process has claimed the number, or the record is ours and the answer was lost.
                Err(StoreError::Exists { .. }) => taken = latest + 1,
                Err(error) => return Err(error),
            }
        };
        let has_ended = self.job(job).await?.state.is_final();
        Ok((!has_ended).then_some(PublicationNumber(number)))
    }

    /// True if no later publication was claimed.
    pub async fn is_latest_publication(
        &self,
        pipeline: &PipelineName,
        number: PublicationNumber,
    ) -> Result<bool, StoreError> {
        let latest = self.publications(pipeline).await?.last().copied();
        Ok(latest.is_none_or(|latest| latest <= number.0))
    }

    /// The job of a publication; none if the record is damaged or was removed as superseded.
    async fn published_job(
        &self,
        pipeline: &PipelineName,
        number: u64,
    ) -> Result<Option<JobId>, StoreError> {
        let key = layout::output_publication(pipeline, number);
        match self.read::<PublicationRecord>(&key, advice::DETAIL).await {
            Ok(record) => Ok(Some(record.job)),
            Err(StoreError::Missing { .. } | StoreError::Corrupt { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The numbers claimed, ascending; early ones may be missing.
    async fn publications(&self, pipeline: &PipelineName) -> Result<Vec<u64>, StoreError> {
        let prefix = layout::output_publications(pipeline);
        self.numbers(&prefix, ".json").await
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::job::{JobRecord, JobState};
    use crate::store::{Location, Store};

    async fn job(ledger: &Ledger, pipeline: &PipelineName) -> JobRecord {
        let record = JobRecord::new(JobId::generate(), pipeline.clone(), Timestamp::now());
        ledger.open_job(&record, &json!({})).await.unwrap();
        record
    }

    #[tokio::test]
    async fn a_later_job_supersedes_and_a_job_that_has_ended_claims_nothing() {
        let ledger = Ledger::new(Store::in_memory());
        let pipeline: PipelineName = "p".parse().unwrap();
        let mut first = job(&ledger, &pipeline).await;
        let claim = async |job| {
            ledger
                .claim_publication(&pipeline, job, Some(1))
                .await
                .unwrap()
        };
        let one = claim(first.id).await.unwrap();
        assert_eq!(
            claim(first.id).await,
            Some(one),
            "its next leader works off the same record"
        );
        assert!(ledger.is_latest_publication(&pipeline, one).await.unwrap());
        first.state = JobState::Success;
        ledger.save(&first).await.unwrap();
        let second = job(&ledger, &pipeline).await;
        let two = claim(second.id).await.unwrap();
        assert!(two > one);
        assert!(!ledger.is_latest_publication(&pipeline, one).await.unwrap());
        assert_eq!(
            claim(first.id).await,
            None,
            "a frozen leader of the first job wakes"
        );
        let two = claim(second.id).await.unwrap();
        assert!(ledger.is_latest_publication(&pipeline, two).await.unwrap());
    }

    #[tokio::test]
    async fn a_number_that_a_directory_takes_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::folder(folder.path()).unwrap();
        let ledger = Ledger::new(Store::open(&location).await.unwrap());
        let pipeline: PipelineName = "p".parse().unwrap();
        let key = layout::output_publication(&pipeline, 1);
        std::fs::create_dir_all(folder.path().join(key.to_string())).unwrap();
        let job = job(&ledger, &pipeline).await;
        let claimed = ledger.claim_publication(&pipeline, job.id, None).await;
        assert_eq!(claimed.unwrap(), Some(PublicationNumber(2)));
    }
}
