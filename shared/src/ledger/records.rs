//! Encoding of records as JSON and JSON lines, and advice on damaged records.

use std::borrow::Cow;
use std::io::{self, Cursor};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Ledger;
use super::checksum::{CheckedWriter, verified};
use crate::store::{StoreError, StoreKey};

/// Advice on damaged records.
pub(super) mod advice {
    /// For a job's record or spec.
    pub(in crate::ledger) const JOB: &str =
        "remove the job's folder to forget the job; the pipeline remembers the successes";
    /// For the key of a job.
    pub(in crate::ledger) const JOB_KEY: &str =
        "remove the file; the next leader of the job makes a new key";
    /// For the details of a job.
    pub(in crate::ledger) const DETAIL: &str = "remove the job's folder and run the pipeline again; datums that are remembered as done are skipped";
    /// For a revision of a registered pipeline.
    pub(in crate::ledger) const REGISTERED: &str =
        "remove the file and create the pipeline again; output and records stay";
    /// For a dead letter.
    pub(in crate::ledger) const DEAD_LETTER: &str =
        "remove the file; dead letters are for people to read only";
    /// For the identity of a store.
    pub(in crate::ledger) const IDENTITY: &str = "restore the file; or remove the file and the queues of the store's pipelines, and a new identity is made";
    /// For the note about idle queues.
    pub(in crate::ledger) const IDLE_QUEUES: &str =
        "remove the file; then idle queues of the pipeline stay at the broker";
    /// For the retention of a store.
    pub(in crate::ledger) const RETENTION: &str = "set it again with `drover gc --set`";
    /// For the deliveries of a job's events.
    pub(in crate::ledger) const DELIVERIES: &str =
        "remove the file; then no further events of the job are sent";
    /// For a limit of the store.
    pub(in crate::ledger) const LIMIT: &str =
        "remove the file and define the limit again with `drover limit`, while no job uses it";
    pub(in crate::ledger) const SHARING: &str = "set it again by `drover share PIPELINE --share N`";
    /// For an entry of the audit log.
    pub(in crate::ledger) const AUDIT: &str =
        "remove the file; the audit log is for people to read only";
    /// For the jobs of an idempotency key.
    pub(in crate::ledger) const KEY: &str =
        "remove the file; the next submission with the key makes new jobs";
    /// For the done index.
    pub(in crate::ledger) const DONE: &str = "remove it; the next run makes it again from the jobs";
    /// For the verdict of a datum.
    pub(in crate::ledger) const VERDICT: &str =
        "remove the file; the datum runs again with the next run";
}

/// The JSON record in `bytes`, as read at `key`.
pub(super) fn parse<T: DeserializeOwned>(
    key: &StoreKey,
    bytes: &[u8],
    advice: &'static str,
) -> Result<T, StoreError> {
    let record = verified(key, bytes).map_err(|problem| damaged(key, advice, problem))?;
    serde_json::from_slice(&record).map_err(|error| damaged(key, advice, error))
}

impl Ledger {
    /// The JSON record at `key`.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        key: &StoreKey,
        advice: &'static str,
    ) -> Result<T, StoreError> {
        let record = self.record_bytes(key, advice).await?;
        serde_json::from_slice(&record).map_err(|error| damaged(key, advice, error))
    }

    /// The JSON record at `key`; none if there is no object.
    pub(super) async fn read_optional<T: DeserializeOwned>(
        &self,
        key: &StoreKey,
        advice: &'static str,
    ) -> Result<Option<T>, StoreError> {
        match self.read(key, advice).await {
            Ok(record) => Ok(Some(record)),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The record at `key` after an attempt to create `mine` there: the first record counts.
    pub(super) async fn first_created<T: DeserializeOwned>(
        &self,
        created: Result<(), StoreError>,
        mine: T,
        key: &StoreKey,
        advice: &'static str,
    ) -> Result<T, StoreError> {
        match created {
            Ok(()) => Ok(mine),
            // Another process was first, or the answer to an earlier attempt was lost.
            Err(StoreError::Exists { .. }) => self.read(key, advice).await,
            Err(error) => Err(error),
        }
    }

    /// The bytes of the record or records at `key`, without their checksum.
    pub(super) async fn record_bytes(
        &self,
        key: &StoreKey,
        advice: &'static str,
    ) -> Result<Bytes, StoreError> {
        let bytes = match self.store.get(key).await {
            Err(StoreError::Corrupt { key, source, .. }) => {
                return Err(StoreError::Corrupt {
                    key,
                    advice,
                    source,
                });
            }
            read => read?,
        };
        match verified(key, &bytes) {
            Ok(Cow::Borrowed(_)) => Ok(bytes),
            Ok(Cow::Owned(record)) => Ok(record.into()),
            Err(problem) => Err(damaged(key, advice, problem)),
        }
    }

    /// Reads the JSON records at `key`, which has a record per line.
    pub(super) async fn read_lines<T: DeserializeOwned>(
        &self,
        key: &StoreKey,
        advice: &'static str,
    ) -> Result<Vec<T>, StoreError> {
        let records = self.record_bytes(key, advice).await?;
        serde_json::Deserializer::from_slice(&records)
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| damaged(key, advice, error))
    }

    /// Reads every `nth` JSON record at `key`, beginning with the first; `nth` is at least 1.
    pub(super) async fn sample_lines<T: DeserializeOwned>(
        &self,
        key: &StoreKey,
        nth: usize,
        advice: &'static str,
    ) -> Result<Vec<T>, StoreError> {
        let records = self.record_bytes(key, advice).await?;
        let lines = records.split(|byte| *byte == b'\n');
        lines
            .filter(|line| !line.is_empty())
            .step_by(nth)
            .map(|line| serde_json::from_slice(line).map_err(|error| damaged(key, advice, error)))
            .collect()
    }
}

/// The bytes of a record.
pub(super) fn to_json(key: &StoreKey, record: &impl Serialize) -> Result<Bytes, StoreError> {
    checked(key, |writer| writer.write(&serde_json::to_vec(record)?))
}

/// Encodes records, a record per line.
pub(super) fn to_json_lines(
    key: &StoreKey,
    records: &[impl Serialize],
) -> Result<Bytes, StoreError> {
    checked(key, |writer| {
        records
            .iter()
            .try_for_each(|record| writer.write_line(record))
    })
}

/// The bytes that `write` writes, with the checksum.
fn checked(
    key: &StoreKey,
    write: impl FnOnce(&mut CheckedWriter<Cursor<Vec<u8>>>) -> io::Result<()>,
) -> Result<Bytes, StoreError> {
    let mut writer = CheckedWriter::of_record(key, Cursor::new(Vec::new()));
    let written = write(&mut writer).and_then(|()| writer.finish());
    match written {
        Ok(bytes) => Ok(bytes.into_inner().into()),
        Err(error) => Err(StoreError::Unavailable {
            key: key.clone(),
            source: error.into(),
        }),
    }
}

pub(super) fn damaged(
    key: &StoreKey,
    advice: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Corrupt {
        key: key.clone(),
        advice,
        source: source.into(),
    }
}
