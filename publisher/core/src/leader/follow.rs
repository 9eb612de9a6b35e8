//! WatchContext a job that some process coordinates, this one perhaps.

use std::time::Duration;

use drover_shared::id::JobId;
use drover_shared::job::JobRecord;
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::coordinator::Snapshot;

/// Between two looks at the record.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Waits for the end of a job and returns its final record. On the way, shows `watch` what the ledger tells that is
/// news there: whoever coordinates in this process tells more, and earlier, its end too.
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
