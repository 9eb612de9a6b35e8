//! Growing logs of running attempts, shown in the store while somebody follows the job.
//!
//! A follower renews a mark in the store, and a worker shows logs only while the mark changes, so that nothing is written for
//! jobs that nobody looks at. Clocks of two machines are never compared.

use bytes::Bytes;

use super::LogFile;
use super::attempts::named_for;
use crate::id::JobId;
use crate::ledger::Ledger;
use crate::store::{StoreError, StoreKey, layout};

/// The end of a growing log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LiveLog {
    /// Bytes of the log before `text`.
    pub from: u64,
    /// Whole lines of the log.
    pub text: Bytes,
}

impl LiveLog {
    /// Bytes of the log up to the end of `text`.
    pub fn end(&self) -> u64 {
        self.from + self.text.len() as u64
    }

    /// The text after the first `known` bytes of the log, and the number of bytes between these and the text.
    pub fn after(&self, known: u64) -> (u64, &[u8]) {
        let start = usize::try_from(known.saturating_sub(self.from)).unwrap_or(usize::MAX);
        let text = &self.text[start.min(self.text.len())..];
        (self.from.saturating_sub(known), text)
    }
}

impl Ledger {
    /// Tells workers that somebody follows the logs of the job; `mark` differs from the mark before.
    pub async fn mark_followed(&self, job: JobId, mark: &str) -> Result<(), StoreError> {
        let mark = Bytes::from(mark.to_owned());
        self.store.put(&layout::followed(job), mark).await
    }

    /// The newest mark of a follower.
    pub async fn follow_mark(&self, job: JobId) -> Result<Option<Bytes>, StoreError> {
        match self.store.get(&layout::followed(job)).await {
            Ok(mark) => Ok(Some(mark)),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Shows the end of a growing log, in the place of what was shown before. `name` is that of the finished log.
    pub async fn show_live_log(
        &self,
        job: JobId,
        index: u64,
        name: &str,
        log: &LiveLog,
    ) -> Result<(), StoreError> {
        let head = format!("{}\n", log.from);
        let bytes = [head.as_bytes(), &log.text].concat();
        let key = layout::live_log(job, index, name);
        self.store.put(&key, bytes.into()).await
    }

    /// Removes what was shown of a log.
    pub async fn hide_live_log(
        &self,
        job: JobId,
        index: u64,
        name: &str,
    ) -> Result<(), StoreError> {
        self.store.delete(&layout::live_log(job, index, name)).await
    }

    /// Growing logs of a job, each with the index of its datum, ordered by index.
    pub async fn live_logs(&self, job: JobId) -> Result<Vec<(u64, LogFile)>, StoreError> {
        let names = self.store.names(&layout::live_logs(job)).await?;
        let logs = names.iter().filter_map(|full_name| {
            let (index, name) = full_name.split_once('.')?;
            let index = index.parse().ok()?;
            Some((index, live(job, index, name)))
        });
        Ok(logs.collect())
    }

    /// Growing logs of a datum.
    pub async fn live_logs_of(&self, job: JobId, index: u64) -> Result<Vec<LogFile>, StoreError> {
        let names = self.store.names(&layout::live_logs(job)).await?;
        Ok(named_for(index, &names)
            .map(|name| live(job, index, name))
            .collect())
    }

    /// The end of a growing log; none if the attempt has ended.
    pub async fn live_log(&self, key: &StoreKey) -> Result<Option<LiveLog>, StoreError> {
        match self.store.get(key).await {
            Ok(bytes) => Ok(Some(parsed(&bytes))),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn live(job: JobId, index: u64, name: &str) -> LogFile {
    LogFile {
        name: name.to_owned(),
        key: layout::live_log(job, index, name),
    }
}

/// Parses the text of a worker; a damaged text counts as the beginning of the log.
fn parsed(bytes: &Bytes) -> LiveLog {
    let newline = bytes.iter().position(|byte| *byte == b'\n');
    let head = newline.and_then(|end| std::str::from_utf8(&bytes[..end]).ok()?.parse().ok());
    match (head, newline) {
        (Some(from), Some(end)) => LiveLog {
            from,
            text: bytes.slice(end + 1..),
        },
        _ => LiveLog {
            from: 0,
            text: bytes.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn what_is_known_of_a_growing_log_is_left_out_and_a_gap_is_told() {
        let log = LiveLog {
            from: 10,
            text: "abcd".into(),
        };
        let rows: [(u64, u64, &str); 5] = [
            (0, 10, "abcd"),
            (10, 0, "abcd"),
            (12, 0, "cd"),
            (14, 0, ""),
            (99, 0, ""),
        ];
        for (known, missed, text) in rows {
            assert_eq!(log.after(known), (missed, text.as_bytes()), "{known}");
        }
        assert_eq!(log.end(), 14);
    }

    #[tokio::test]
    async fn a_growing_log_is_shown_in_place_and_hidden() {
        let ledger = Ledger::new(Store::in_memory());
        let job = JobId::generate();
        for (from, text) in [(0, "one\n"), (4, "two\nthree\n"), (14, "")] {
            let log = LiveLog {
                from,
                text: text.into(),
            };
            ledger
                .show_live_log(job, 7, "w.000001.log", &log)
                .await
                .unwrap();
            let all = ledger.live_logs(job).await.unwrap();
            assert_eq!((all.len(), all[0].0), (1, 7));
            assert_eq!(
                ledger.live_logs_of(job, 7).await.unwrap(),
                [all[0].1.clone()]
            );
            assert_eq!(ledger.live_log(&all[0].1.key).await.unwrap(), Some(log));
        }
        assert_eq!(ledger.live_logs_of(job, 70).await.unwrap(), []);
        ledger.hide_live_log(job, 7, "w.000001.log").await.unwrap();
        assert_eq!(ledger.live_logs(job).await.unwrap(), []);
    }
}
