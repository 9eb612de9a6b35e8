//! Records and failures of jobs, whichever process runs them.

use std::time::Duration;

use drover_shared::id::JobId;
use drover_shared::job::{FailureGroups, JobRecord, JobState};
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use tokio::time::sleep;

/// Reason of a job whose process died.
const INTERRUPTED: &str = "interrupted";
/// Pause before the second check of a job that seems to be interrupted; the job may be ending just now.
const SECOND_LOOK: Duration = Duration::from_millis(300);

/// The record of a job for display: a job whose process died counts as killed, whatever its last saved state.
pub async fn record(ledger: &Ledger, id: JobId) -> Result<JobRecord, StoreError> {
    let record = ledger.job(id).await?;
    if !seems_cut_off(ledger, &record).await? {
        return Ok(record);
    }
    sleep(SECOND_LOOK).await;
    let mut record = ledger.job(id).await?;
    if seems_cut_off(ledger, &record).await? {
        record.state = JobState::Killed;
        record.reason = Some(INTERRUPTED.to_owned());
    }
    Ok(record)
}

/// True if no process holds the lock that a running job of the local machine holds or waits for.
async fn seems_cut_off(ledger: &Ledger, record: &JobRecord) -> Result<bool, StoreError> {
    Ok(!record.state.is_final()
        && ledger.is_locked(&record.pipeline).await? == Some(false)
        // A job on the broker outlives every process.
        && ledger.submission(record.id).await?.is_none())
}

/// The failures of a job by cause: as saved at its end, else from the verdicts so far.
pub async fn failures(ledger: &Ledger, record: &JobRecord) -> Result<FailureGroups, StoreError> {
    if record.datums.failed + record.datums.recovered == 0 {
        return Ok(FailureGroups::default());
    }
    match ledger.failures(record.id).await {
        Ok(groups) if groups.count() >= record.datums.failed => Ok(groups),
        Ok(_) | Err(StoreError::Corrupt { .. }) => failures_so_far(ledger, record.id).await,
        Err(error) => Err(error),
    }
}

async fn failures_so_far(ledger: &Ledger, id: JobId) -> Result<FailureGroups, StoreError> {
    let mut groups = FailureGroups::default();
    for segment in ledger.segments(id).await? {
        for verdict in ledger.verdicts(id, segment).await? {
            if let Some(cause) = &verdict.cause {
                groups.add(verdict.index, cause);
            }
        }
    }
    Ok(groups)
}

/// The job that holds the lock which a starting job waits for: the oldest of its pipeline that has not ended.
pub async fn running_before(
    ledger: &Ledger,
    record: &JobRecord,
) -> Result<Option<JobRecord>, StoreError> {
    if record.state != JobState::Starting {
        return Ok(None);
    }
    for id in ledger.unfolded(&record.pipeline).await? {
        let other = ledger.job(id).await?;
        if id < record.id && !other.state.is_final() {
            return Ok(Some(other));
        }
    }
    Ok(None)
}
