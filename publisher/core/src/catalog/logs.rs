//! Reading the logs of attempts.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::ops::ControlFlow;

use drover_shared::id::JobId;
use drover_shared::ledger::{Ledger, LogFile};
use drover_shared::store::{Store, StoreError, StoreKey};

use super::{LogLine, LogLines};

/// The attempt that printed a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Origin {
    /// The datum's place in its job.
    pub index: u64,
    /// None for `err_cmd`.
    pub attempt: Option<u32>,
}

/// The logs of a datum. The logs of a failure that was taken over lie with the earlier job.
pub async fn logs_of(ledger: &Ledger, job: JobId, index: u64) -> Result<Vec<LogFile>, StoreError> {
    let logs = ledger.logs(job, index).await?;
    if !logs.is_empty() {
        return Ok(logs);
    }
    let verdict = ledger.committed(job, index).await?;
    match verdict.and_then(|verdict| verdict.taken_from) {
        Some(earlier) => ledger.logs(earlier, index).await,
        None => Ok(logs),
    }
}

/// The attempt of a log, from the name `….<attempt>.log`; none for `err_cmd`.
pub fn attempt(name: &str) -> Option<u32> {
    let stem = name.strip_suffix(".log").unwrap_or(name);
    stem.rsplit('.')
        .next()
        .and_then(|number| number.parse().ok())
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This machine.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Passes the lines of a log to `each` until `each` breaks.
pub fn each_line(
    mut log: impl BufRead,
    mut each: impl FnMut(LogLine) -> io::Result<ControlFlow<()>>,
) -> io::Result<()> {
    let mut lines = LogLines::default();
    let mut raw = Vec::new();
    while log.read_until(b'\n', &mut raw)? > 0 {
        let line = lines.push(raw.strip_suffix(b"\n").unwrap_or(&raw));
        raw.clear();
        if let Some(line) = line
            && each(line)?.is_break()
        {
            return Ok(());
        }
    }
    for line in lines.rest() {
        if each(line)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Opens a log for reading; a log in a bucket is downloaded to a temporary file first.
pub async fn open_log(store: &Store, key: &StoreKey) -> Result<BufReader<File>, LogError> {
    if let Some(path) = store.local_path(key) {
        return Ok(BufReader::new(File::open(path)?));
    }
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("log");
    store.download(key, &copy).await?;
    Ok(BufReader::new(File::open(copy)?))
}
