//! What attempts leave behind: marks of redelivered datums about to run, and logs.

use std::path::Path;

use bytes::Bytes;
use ulid::Ulid;

use crate::id::JobId;
use crate::ledger::Ledger;
use crate::store::{StoreError, StoreKey, layout};

/// The log of one attempt.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LogFile {
    /// The name it was saved under.
    pub name: String,
    /// Where it lies.
    pub key: StoreKey,
}

impl Ledger {
    /// Marks that a redelivered datum is about to run. Returns the number of this mark, by which it can be
    /// [taken back](Ledger::unmark_attempt).
    pub async fn mark_attempt(&self, job: JobId, index: u64) -> Result<u32, StoreError> {
        let mut n = self.attempt_marks(job, index).await? + 1;
        let mine = Bytes::from(Ulid::generate().to_string());
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

    /// Whether a mark that exists already is one's own: the answer to an earlier try was lost.
    async fn holds(&self, key: &StoreKey, mine: &Bytes) -> Result<bool, StoreError> {
        match self.store.get(key).await {
            Ok(found) => Ok(found == *mine),
            Err(StoreError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes back mark number `n` of a datum: the worker that left it stopped running the datum, alive.
    pub async fn unmark_attempt(&self, job: JobId, index: u64, n: u32) -> Result<(), StoreError> {
        self.store.delete(&layout::mark(job, index, n)).await
    }

    /// How many times a redelivered datum was about to run and nothing was heard of it again. Those that were taken
    /// back do not count, whatever their number.
    pub async fn attempt_marks(&self, job: JobId, index: u64) -> Result<u32, StoreError> {
        let names = self.store.names(&layout::marks(job)).await?;
        let mine = named_for(index, &names).filter(|n| n.parse::<u32>().is_ok());
        Ok(u32::try_from(mine.count()).unwrap_or(u32::MAX))
    }

    /// Moves the log `file` of an attempt to its place. `name` is one segment, unique among the datum's logs,
    /// and its logs are listed in the order of their names.
    pub async fn save_log(
        &self,
        job: JobId,
        index: u64,
        name: &str,
        file: &Path,
    ) -> Result<(), StoreError> {
        self.store.adopt(file, &layout::log(job, index, name)).await
    }

    /// The logs of a datum, in the order of their names.
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
    /// The shards of a job that hold logs, ascending.
    pub async fn log_shards(&self, job: JobId) -> Result<Vec<u64>, StoreError> {
        let names = self.store.names(&layout::log_shards(job)).await?;
        let shards = names
            .iter()
            .filter_map(|name| name.trim_end_matches('/').parse().ok());
        Ok(shards.collect())
    }

    /// The logs of a shard with the datums they are of, in the order of these.
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

/// What follows the index in the names of a datum's files.
fn named_for(index: u64, names: &[String]) -> impl Iterator<Item = &str> {
    let prefix = format!("{index:020}.");
    names
        .iter()
        .filter_map(move |name| name.strip_prefix(prefix.as_str()))
}
