//! Records of attempts: marks of redelivered datums about to run, and logs.

use std::path::Path;

use bytes::Bytes;

use crate::id::{JobId, WorkerId};
use crate::ledger::Ledger;
use crate::store::{StoreError, StoreKey, layout};

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

    /// The workers that set the marks of a datum; none for a mark of an older version, which names no worker.
    pub async fn marked_by(
        &self,
        job: JobId,
        index: u64,
    ) -> Result<Vec<Option<WorkerId>>, StoreError> {
        let mut workers = Vec::new();
        for n in self.mark_numbers(job, index).await? {
            match self.store.get(&layout::mark(job, index, n)).await {
                Ok(mark) => workers.push(worker_of(&mark)),
                // Removed meanwhile.
                Err(StoreError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(workers)
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

/// The part of each file name after the datum's index.
fn named_for(index: u64, names: &[String]) -> impl Iterator<Item = &str> {
    let prefix = format!("{index:020}.");
    names
        .iter()
        .filter_map(move |name| name.strip_prefix(prefix.as_str()))
}
