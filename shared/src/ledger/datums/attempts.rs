//! Records of attempts: marks of redelivered datums about to run, notes of time that was lost, and logs.

use std::path::Path;

use bytes::Bytes;

use crate::id::{JobId, WorkerId};
use crate::ledger::Ledger;
use crate::store::{StoreError, StoreKey, layout};

/// First letter of the name of a note; the names of marks are numbers, and older versions pass over others.
const WASTE: &str = "w";

/// The name of a note of memory.
const NEED: &str = "m";

/// Earlier runs of a datum without a verdict.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PastRuns {
    /// The workers that set marks; none for a mark of an older version, which names no worker.
    pub marked_by: Vec<Option<WorkerId>>,
    /// Seconds of runs cut off with leaving workers.
    pub wasted_s: f64,
    /// Bytes of memory that did not suffice on a smaller worker; 0 if there was none.
    pub too_little: u64,
}

/// The log of one attempt.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LogFile {
    /// File name below the datum's logs.
    pub name: String,
    /// Location of the log.
    pub key: StoreKey,
}

impl Ledger {
    /// Marks that `worker` is about to run a redelivered datum by the `claim`, a name unique among all deliveries. Returns
    /// the number of the mark, which [`Ledger::unmark_attempt`] takes.
    pub async fn mark_attempt(
        &self,
        job: JobId,
        index: u64,
        claim: &str,
        worker: &WorkerId,
    ) -> Result<u32, StoreError> {
        let mut n = self.attempt_marks(job, index).await? + 1;
        let mine = Bytes::from(format!("{claim} {worker}"));
        loop {
            let key = layout::mark(job, index, n);
            match self.store.create(&key, mine.clone()).await {
                Ok(()) => return Ok(n),
                Err(StoreError::Exists { .. }) if self.holds(&key, &mine).await? => return Ok(n),
                Err(StoreError::Exists { .. }) => n += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// True if an existing mark is our own: the answer to an earlier create was lost.
    async fn holds(&self, key: &StoreKey, mine: &Bytes) -> Result<bool, StoreError> {
        match self.store.get(key).await {
            Ok(found) => Ok(found == *mine),
            Err(StoreError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes mark number `n` of a datum. The worker that set the mark stopped running the datum and is alive.
    pub async fn unmark_attempt(&self, job: JobId, index: u64, n: u32) -> Result<(), StoreError> {
        self.store.delete(&layout::mark(job, index, n)).await
    }

    /// Number of times a redelivered datum was about to run without a later sign of life. Removed marks do not count.
    pub async fn attempt_marks(&self, job: JobId, index: u64) -> Result<u32, StoreError> {
        let marks = self.mark_numbers(job, index).await?;
        Ok(u32::try_from(marks.len()).unwrap_or(u32::MAX))
    }

    /// Earlier runs of a datum that came to no verdict.
    pub async fn past_runs(&self, job: JobId, index: u64) -> Result<PastRuns, StoreError> {
        let names = self.store.names(&layout::marks(job)).await?;
        let mut past = PastRuns::default();
        for name in named_for(index, &names) {
            let content = match self.store.get(&layout::mark(job, index, name)).await {
                Ok(content) => content,
                // Removed meanwhile.
                Err(StoreError::Missing { .. }) => continue,
                Err(error) => return Err(error),
            };
            if name == NEED {
                let text = std::str::from_utf8(&content).unwrap_or_default();
                past.too_little = text.parse().unwrap_or(0);
            } else if name.starts_with(WASTE) {
                past.wasted_s += seconds(&content);
            } else if name.parse::<u32>().is_ok() {
                past.marked_by.push(worker_of(&content));
            }
        }
        Ok(past)
    }

    /// Notes the seconds of a run by `claim`, on a leaving worker. A later note of the run replaces the note, which stays
    /// if the run comes to no verdict.
    pub async fn note_waste(
        &self,
        job: JobId,
        index: u64,
        claim: &str,
        seconds: f64,
    ) -> Result<(), StoreError> {
        let key = layout::mark(job, index, format!("{WASTE}{claim}"));
        self.store
            .put(&key, Bytes::from(format!("{seconds:.3}")))
            .await
    }

    /// Removes the note of a finished run.
    pub async fn forget_waste(
        &self,
        job: JobId,
        index: u64,
        claim: &str,
    ) -> Result<(), StoreError> {
        let key = layout::mark(job, index, format!("{WASTE}{claim}"));
        self.store.delete(&key).await
    }

    /// Notes that a datum needs more than `bytes` of memory, all that a worker has.
    pub async fn note_too_little(
        &self,
        job: JobId,
        index: u64,
        bytes: u64,
    ) -> Result<(), StoreError> {
        let key = layout::mark(job, index, NEED);
        self.store.put(&key, Bytes::from(bytes.to_string())).await
    }

    /// Forgets the need of a datum with a verdict.
    pub async fn forget_too_little(&self, job: JobId, index: u64) -> Result<(), StoreError> {
        self.store.delete(&layout::mark(job, index, NEED)).await
    }

    /// Number of datums of a job without a verdict that need more memory than a worker had.
    pub async fn datums_in_need(&self, job: JobId) -> Result<u64, StoreError> {
        let names = self.store.names(&layout::marks(job)).await?;
        let is_need = |name: &&String| name.split_once('.').is_some_and(|(_, name)| name == NEED);
        Ok(names.iter().filter(is_need).map(|_| 1).sum())
    }

    async fn mark_numbers(&self, job: JobId, index: u64) -> Result<Vec<u32>, StoreError> {
        let names = self.store.names(&layout::marks(job)).await?;
        let numbers = named_for(index, &names).filter_map(|n| n.parse().ok());
        Ok(numbers.collect())
    }

    /// Moves the log `file` of an attempt into the store. `name` is one path segment, unique among the datum's logs;
    /// logs are listed in the order of names.
    pub async fn save_log(
        &self,
        job: JobId,
        index: u64,
        name: &str,
        file: &Path,
    ) -> Result<(), StoreError> {
        self.store.adopt(file, &layout::log(job, index, name)).await
    }

    /// Logs of a datum, ordered by name.
    pub async fn logs(&self, job: JobId, index: u64) -> Result<Vec<LogFile>, StoreError> {
        let names = self
            .store
            .names(&layout::log_shard(job, index / layout::SHARD))
            .await?;
        let mine = named_for(index, &names).map(|name| LogFile {
            name: name.to_owned(),
            key: layout::log(job, index, name),
        });
        Ok(mine.collect())
    }
}

impl Ledger {
    /// Shards of a job that hold logs, ascending.
    pub async fn log_shards(&self, job: JobId) -> Result<Vec<u64>, StoreError> {
        let names = self.store.names(&layout::log_shards(job)).await?;
        let shards = names
            .iter()
            .filter_map(|name| name.trim_end_matches('/').parse().ok());
        Ok(shards.collect())
    }

    /// Logs of a shard, each with the index of the datum, ordered by index.
    pub async fn logs_of_shard(
        &self,
        job: JobId,
        shard: u64,
    ) -> Result<Vec<(u64, LogFile)>, StoreError> {
        let names = self.store.names(&layout::log_shard(job, shard)).await?;
        let logs = names.iter().filter_map(|full_name| {
            let (index, name) = full_name.split_once('.')?;
            let index = index.parse().ok()?;
            Some((
                index,
                LogFile {
                    name: name.to_owned(),
                    key: layout::log(job, index, name),
                },
            ))
        });
        Ok(logs.collect())
    }
}

/// The worker that a mark names: `<claim> <worker>`.
fn worker_of(mark: &[u8]) -> Option<WorkerId> {
    let (_, worker) = std::str::from_utf8(mark).ok()?.split_once(' ')?;
    worker.parse().ok()
}

/// The seconds of a note; 0 for a damaged note.
fn seconds(note: &[u8]) -> f64 {
    let text = std::str::from_utf8(note).unwrap_or_default();
    let seconds = text.parse().unwrap_or(0.0);
    if f64::is_finite(seconds) {
        seconds.max(0.0)
    } else {
        0.0
    }
}

/// The part of each file name after the datum's index.
pub(super) fn named_for(index: u64, names: &[String]) -> impl Iterator<Item = &str> {
    let prefix = format!("{index:020}.");
    names
        .iter()
        .filter_map(move |name| name.strip_prefix(prefix.as_str()))
}
