//! Watches a job, whichever process coordinates the job.

use std::time::Duration;

use drover_shared::id::JobId;
use drover_shared::job::JobRecord;
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::coordinator::Snapshot;

/// Interval of reading the record.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Waits for the end of a job and returns its final record. Progress in the ledger is sent to `watch` where it is newer;
/// a leader of the current process sends more, and earlier.
pub async fn follow(
    ledger: &Ledger,
    job: JobId,
    watch: &watch::Sender<Snapshot>,
) -> Result<JobRecord, StoreError> {
    let mut shown = watch.subscribe();
    let mut told = false;
    loop {
        let record = ledger.job(job).await?;
        watch.send_if_modified(|shown| {
            let is_news = record.datums.ended() > shown.record.datums.ended()
                || record.state.is_final() && !shown.record.state.is_final();
            if is_news {
                shown.record = record.clone();
            }
            is_news
        });
        if record.state.is_final() {
            return Ok(record);
        }
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            _ = shown.wait_for(|snapshot| snapshot.record.state.is_final()), if !told => told = true,
        }
    }
}
