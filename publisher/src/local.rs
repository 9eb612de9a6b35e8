//! One job on this machine: embedded queue, worker and coordinator in one process.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use drover_shared::job::JobRecord;
use drover_shared::ledger::Ledger;
use drover_shared::process::Tokens;
use tokio::sync::watch;

use crate::coordinator::{Assignment, Snapshot};

/// How a job is run on this machine.
#[derive(Clone, Debug)]
pub struct LocalSettings {
    /// Datums that run at the same time.
    pub slots: NonZeroU16,
    /// Datums staged ahead, for each slot.
    pub look_ahead: u32,
    /// From TERM to KILL, for a command that must end.
    pub term_grace: Duration,
    /// Where working directories lie; none means below the store's `.drover`, or the system's temporary
    /// folder when the store is a bucket.
    pub scratch: Option<PathBuf>,
    /// Whether to wait while another job of the pipeline runs on this machine; else the job is refused.
    pub wait: bool,
}

/// Why a job could not be seen through; its books stay as they are, and a later run continues.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Another job of the pipeline runs on this machine.
    #[error("another job of this pipeline runs here already; wait for it, or leave out --no-wait")]
    Busy,
}

/// Runs one job to its end and returns its final record, whatever the ending: failed and killed jobs are
/// not errors.
///
/// The soft token makes it finish what runs and end `killed`; the hard token kills what runs.
pub async fn run(
    assignment: Assignment,
    ledger: Ledger,
    settings: LocalSettings,
    tokens: &Tokens,
    watch: watch::Sender<Snapshot>,
) -> Result<JobRecord, LocalError> {
    let _ = (ledger, settings, tokens, watch);
    todo!("{assignment:?}")
}
