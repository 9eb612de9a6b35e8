//! Writes the manifest of a job in segments, small ones first.

use std::time::Duration;

use drover_shared::datum::Verdict;
use drover_shared::id::JobId;
use drover_shared::ledger::{Ledger, ManifestEntry, Segment};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::source::{DatumSource, FeedError, PlannedDatum};
use crate::coordinator::CoordinateError;

/// Datums per segment, by segment number: small at first for an early start, large later for few objects.
const SIZES: [usize; 4] = [8, 64, 512, 1024];
/// Longest wait of a datum for its segment to fill.
const MAX_WAIT: Duration = Duration::from_millis(300);

/// Progress of the manifest, for the collector.
#[derive(Debug)]
pub(crate) enum ManifestEvent {
    /// A segment was written.
    Segment {
        segment: Segment,
        /// One flag per datum: true if skipped.
        skipped: Vec<bool>,
        /// Entries that replace earlier ones.
        redone: Vec<ManifestEntry>,
        /// Verdicts on datums of the segment that were taken over and are committed.
        taken: Vec<Verdict>,
    },
    /// The manifest is complete.
    Expanded,
    /// An input cannot be read, for the reason; the manifest stays incomplete.
    Broken(String),
}

/// Writes segments until the source ends, and then the end of the manifest; sends an event for each. `first` is the
/// index of the first datum of the source.
pub(crate) async fn write(
    ledger: &Ledger,
    job: JobId,
    first: u64,
    source: DatumSource,
    events: mpsc::Sender<ManifestEvent>,
) -> Result<(), CoordinateError> {
    let DatumSource { entries, feed } = source;
    // The feed ends once the receiver is dropped, also after an error of the store.
    let write = write_segments(ledger, job, entries, &events);
    let (fed, written) = futures::future::join(feed, write).await;
    let total = first + written?;
    let last = match fed {
        Ok(()) => {
            ledger.complete_manifest(job, total).await?;
            ManifestEvent::Expanded
        }
        Err(FeedError::Inputs(reason)) => ManifestEvent::Broken(reason),
        Err(FeedError::Infrastructure(error)) => return Err(error),
    };
    // The receiver is gone if the job has ended before.
    let _ = events.send(last).await;
    Ok(())
}

/// Writes segments until the source ends; returns the number of datums written.
async fn write_segments(
    ledger: &Ledger,
    job: JobId,
    mut entries: mpsc::Receiver<PlannedDatum>,
    events: &mpsc::Sender<ManifestEvent>,
) -> Result<u64, CoordinateError> {
    let mut written = 0;
    for number in 0.. {
        let batch = next_batch(&mut entries, size(number)).await;
        if batch.is_empty() {
            break;
        }
        written += batch.len() as u64;
        if events
            .send(write_segment(ledger, job, batch).await?)
            .await
            .is_err()
        {
            break;
        }
    }
    Ok(written)
}

/// Writes a segment. Verdicts that are taken over are committed first, so a reader of the segment never runs
/// their datums.
async fn write_segment(
    ledger: &Ledger,
    job: JobId,
    batch: Vec<PlannedDatum>,
) -> Result<ManifestEvent, CoordinateError> {
    let mut taken = Vec::new();
    let mut entries: Vec<ManifestEntry> = Vec::with_capacity(batch.len());
    for PlannedDatum { entry, verdict } in batch {
        taken.extend(verdict.map(|verdict| *verdict));
        entries.push(entry);
    }
    ledger.take_over(job, &taken).await?;
    let segment = ledger.write_manifest(job, &entries).await?;
    let skipped = entries.iter().map(|entry| entry.done.is_some()).collect();
    entries.retain(|entry| entry.redo.is_some());
    Ok(ManifestEvent::Segment {
        segment,
        skipped,
        redone: entries,
        taken,
    })
}

/// Largest number of datums in segment `number`, counted from 0.
fn size(number: usize) -> usize {
    SIZES[number.min(SIZES.len() - 1)]
}

/// The next datums, at most `most`, as received within [`MAX_WAIT`] of the first. Empty at the end.
async fn next_batch(entries: &mut mpsc::Receiver<PlannedDatum>, most: usize) -> Vec<PlannedDatum> {
    let mut batch = Vec::new();
    if entries.recv_many(&mut batch, most).await == 0 {
        return batch;
    }
    let deadline = Instant::now() + MAX_WAIT;
    while batch.len() < most {
        let room = most - batch.len();
        let came = tokio::select! {
            came = entries.recv_many(&mut batch, room) => came,
            () = sleep_until(deadline) => 0,
        };
        if came == 0 {
            break;
        }
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::samples::entry;

    #[test]
    fn segments_begin_small_and_grow() {
        assert_eq!(
            [0, 1, 2, 3, 4, 100].map(size),
            [8, 64, 512, 1024, 1024, 1024]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_datum_does_not_wait_long_for_company() {
        let (sender, mut entries) = mpsc::channel(8);
        sender.send(entry(0, None).into()).await.unwrap();
        let begin = Instant::now();
        assert_eq!(next_batch(&mut entries, 8).await.len(), 1);
        assert_eq!(begin.elapsed(), MAX_WAIT);
    }

    #[tokio::test]
    async fn a_batch_is_cut_at_its_size_and_empty_at_the_end() {
        let (sender, mut entries) = mpsc::channel(8);
        for index in 0..5 {
            sender.send(entry(index, None).into()).await.unwrap();
        }
        drop(sender);
        let mut sizes = Vec::new();
        for _ in 0..4 {
            sizes.push(next_batch(&mut entries, 2).await.len());
        }
        assert_eq!(sizes, [2, 2, 1, 0]);
    }
}
