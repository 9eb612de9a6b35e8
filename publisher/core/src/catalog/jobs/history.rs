//! Jobs of a store, newest first, in a number of requests that does not depend on the length of the history.

use std::pin::pin;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobRecord;
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use futures::{Stream, TryFutureExt, TryStreamExt};

use super::by_pipeline::jobs_by_pipeline;

/// The jobs older than `before` (all by default) of the store, or of one pipeline, newest first, without the expired ones.
pub fn history<'a>(
    ledger: &'a Ledger,
    of: Option<&PipelineName>,
    before: Option<JobId>,
) -> impl Stream<Item = Result<JobId, StoreError>> + Send + use<'a> {
    let of = of.cloned();
    let beginning = async move {
        if of.is_some() {
            note_jobs(ledger).await?;
        }
        Ok(ledger.newest_jobs(of.as_ref(), before))
    };
    beginning.try_flatten_stream()
}

/// The newest job of a pipeline whose record can be read.
pub async fn newest_job(
    ledger: &Ledger,
    pipeline: &PipelineName,
) -> Result<Option<JobRecord>, StoreError> {
    let mut newest_first = pin!(history(ledger, Some(pipeline), None));
    while let Some(job) = newest_first.try_next().await? {
        match ledger.job(job).await {
            Ok(record) => return Ok(Some(record)),
            // A damaged or half-written record is skipped.
            Err(StoreError::Missing { .. } | StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Notes all jobs of an older Drover among those of their pipelines, once for each store. A reader that may not write does
/// without these jobs.
async fn note_jobs(ledger: &Ledger) -> Result<(), StoreError> {
    if ledger.are_jobs_noted().await? {
        return Ok(());
    }
    match note_all(ledger).await {
        Err(error @ StoreError::Denied { .. }) => {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "the jobs of an older version stay unnoted");
            Ok(())
        }
        noted => noted,
    }
}

async fn note_all(ledger: &Ledger) -> Result<(), StoreError> {
    for (pipeline, jobs) in jobs_by_pipeline(ledger).await? {
        let noted = ledger.jobs_of(&pipeline).await?;
        for job in jobs.iter().filter(|job| noted.binary_search(job).is_err()) {
            ledger.note_job(&pipeline, *job).await?;
        }
    }
    ledger.all_jobs_noted().await
}

#[cfg(test)]
mod tests {
    use drover_shared::store::{Store, layout};
    use jiff::Timestamp;
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn jobs_of_an_older_drover_are_among_those_of_their_pipeline() {
        let ledger = Ledger::new(Store::in_memory());
        let names: [PipelineName; 2] = ["one", "two"].map(|name| name.parse().unwrap());
        let mut jobs = Vec::new();
        for number in 0..6 {
            let name = names[number % 2].clone();
            let record = JobRecord::new(JobId::generate(), name, Timestamp::now());
            ledger.open_job(&record, &Value::Null).await.unwrap();
            jobs.push(record.id);
        }
        assert!(ledger.are_jobs_noted().await.unwrap());
        // As an older Drover leaves the store.
        let ledger = Ledger::new(ledger.store().clone());
        let marks = [
            layout::jobs_noted(),
            layout::pipeline_job(&names[0], jobs[2]),
        ];
        ledger.store().delete_each(marks.into()).await.unwrap();
        let of_one: Vec<JobId> = history(&ledger, Some(&names[0]), None)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(of_one, [jobs[4], jobs[2], jobs[0]]);
        assert!(ledger.are_jobs_noted().await.unwrap());
        let newest = newest_job(&ledger, &names[1]).await.unwrap();
        assert_eq!(newest.map(|record| record.id), Some(jobs[5]));
    }
}
