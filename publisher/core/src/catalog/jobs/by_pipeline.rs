//! The jobs of a store by pipeline.

use std::collections::{BTreeMap, HashMap};

use drover_shared::id::{JobId, PipelineName};
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use futures::{StreamExt, stream};

/// Records read at once.
const CONCURRENT_READS: usize = 32;

/// The jobs of each pipeline, oldest first, without expired jobs. Only records of jobs without a note (of an older Drover) are
/// read; damaged and unfinished records are left out.
pub(crate) async fn jobs_by_pipeline(
    ledger: &Ledger,
) -> Result<BTreeMap<PipelineName, Vec<JobId>>, StoreError> {
    let all = ledger.jobs().await?;
    let mut owners: HashMap<JobId, PipelineName> = HashMap::new();
    for pipeline in ledger.pipelines().await? {
        let noted = ledger.jobs_of(&pipeline).await?;
        owners.extend(noted.into_iter().map(|job| (job, pipeline.clone())));
    }
    let read = |id: JobId| async move { (id, ledger.job(id).await) };
    let unknown = all.iter().filter(|job| !owners.contains_key(*job)).copied();
    let unknown: Vec<JobId> = unknown.collect();
    let mut records = stream::iter(unknown.into_iter().map(read)).buffered(CONCURRENT_READS);
    while let Some((id, record)) = records.next().await {
        match record {
            Ok(record) => drop(owners.insert(id, record.pipeline)),
            Err(StoreError::Corrupt { .. } | StoreError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let mut jobs: BTreeMap<PipelineName, Vec<JobId>> = BTreeMap::new();
    for job in all {
        if let Some(pipeline) = owners.remove(&job) {
            jobs.entry(pipeline).or_default().push(job);
        }
    }
    Ok(jobs)
}
