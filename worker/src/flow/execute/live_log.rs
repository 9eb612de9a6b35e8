//! Shows the growing log of a running command in the store, while somebody follows the job.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use drover_shared::causes::with_causes;
use drover_shared::ledger::{Ledger, LiveLog};
use drover_shared::store::StoreError;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::time::sleep;

use super::order::CommandRole;
use crate::context::WorkerContext;
use crate::flow::claimed::ClaimedDatum;
use crate::jobs::Job;
use crate::runner::Order;

/// How often a grown log is shown, in a folder and in a bucket. A command that ends before costs nothing.
const SHOW_EVERY: Duration = Duration::from_secs(1);
const SHOW_IN_BUCKET_EVERY: Duration = Duration::from_secs(5);
/// Bytes that are shown at a time.
const MOST_BYTES: u64 = 256 * 1024;

/// The log of a command that runs.
pub(super) struct GrowingLog {
    ledger: Ledger,
    job: Arc<Job>,
    index: u64,
    /// The name of the finished log.
    name: String,
    /// The file that the runner writes.
    file: PathBuf,
    /// True once something lies in the store.
    is_shown: AtomicBool,
}

#[derive(Debug, thiserror::Error)]
enum ShowError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the log cannot be read")]
    Read(#[from] std::io::Error),
}

impl GrowingLog {
    /// The log of the command that `order` starts.
    pub(super) fn of(
        claimed: &ClaimedDatum,
        role: CommandRole,
        order: &Order,
        context: &WorkerContext,
    ) -> Self {
        Self {
            ledger: context.ledger.clone(),
            job: Arc::clone(&claimed.job),
            index: claimed.datum.index,
            name: role.log_name(claimed),
            file: order.log.clone(),
            is_shown: AtomicBool::new(false),
        }
    }

    /// Shows the log whenever it has grown; never ends.
    pub(super) async fn show(&self) -> Infallible {
        let pause = match self.ledger.store().local_root() {
            Some(_) => SHOW_EVERY,
            None => SHOW_IN_BUCKET_EVERY,
        };
        let mut shown = 0;
        loop {
            sleep(pause).await;
            if let Err(error) = self.show_growth(&mut shown).await {
                let error = with_causes(&error);
                tracing::debug!(job.id = %self.job.id, "a growing log cannot be shown: {error}");
            }
        }
    }

    /// Shows the end of the log if it has grown beyond `shown` bytes. A log that does not grow costs no request.
    async fn show_growth(&self, shown: &mut u64) -> Result<(), ShowError> {
        let length = match tokio::fs::metadata(&self.file).await {
            Ok(metadata) => metadata.len(),
            // Nothing was printed yet.
            Err(_) => return Ok(()),
        };
        if length == *shown {
            return Ok(());
        }
        let mark = self.ledger.follow_mark(self.job.id).await?;
        if !self.job.followers.is_followed(mark, Instant::now()) {
            return Ok(());
        }
        let log = self.end_of(length).await?;
        self.is_shown.store(true, Ordering::Relaxed);
        self.ledger
            .show_live_log(self.job.id, self.index, &self.name, &log)
            .await?;
        *shown = length;
        Ok(())
    }

    /// The last whole lines of the first `length` bytes.
    async fn end_of(&self, length: u64) -> Result<LiveLog, std::io::Error> {
        let from = length.saturating_sub(MOST_BYTES);
        let mut file = File::open(&self.file).await?;
        file.seek(std::io::SeekFrom::Start(from)).await?;
        let mut text = Vec::new();
        file.take(length - from).read_to_end(&mut text).await?;
        let is_newline = |byte: &u8| *byte == b'\n';
        let end = text.iter().rposition(is_newline).map_or(0, |at| at + 1);
        text.truncate(end);
        // A beginning that is cut off is left out.
        let start = match text.iter().position(is_newline) {
            Some(at) if from > 0 => at + 1,
            _ => 0,
        };
        Ok(LiveLog {
            from: from + start as u64,
            text: text.split_off(start).into(),
        })
    }

    /// Removes what was shown: the finished log is in the store, or the command did not come to an end.
    pub(super) async fn hide(&self) {
        if !self.is_shown.load(Ordering::Relaxed) {
            return;
        }
        let (job, index) = (self.job.id, self.index);
        if let Err(error) = self.ledger.hide_live_log(job, index, &self.name).await {
            tracing::debug!(job.id = %job, index, "a growing log cannot be removed: {error}");
        }
    }
}
