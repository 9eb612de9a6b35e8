//! Streams of datums for a new manifest, each with a reference to an earlier success, if any.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use drover_shared::causes::with_causes;
use drover_shared::datum::{Datum, Verdict};
use drover_shared::id::DatumId;
use drover_shared::ledger::{DoneIndex, ManifestEntry};
use tokio::sync::{mpsc, oneshot};

use crate::coordinator::CoordinateError;
use crate::expand::ExpandError;

/// Datums expanded ahead of the manifest: enough for the thread to seldom wait.
const AHEAD: usize = 1024;

/// Reason for a job that cannot be continued because of changed inputs.
const MOVED: &str = "its inputs changed before all its datums were known; run it again";

/// A datum to be written into the manifest.
#[derive(Debug, PartialEq)]
pub(crate) struct PlannedDatum {
    pub(crate) entry: ManifestEntry,
    /// A verdict taken over from an earlier job; the datum is not run.
    pub(crate) verdict: Option<Box<Verdict>>,
}

impl From<ManifestEntry> for PlannedDatum {
    fn from(entry: ManifestEntry) -> Self {
        Self {
            entry,
            verdict: None,
        }
    }
}

/// An ordered stream of datums.
pub(crate) struct DatumSource {
    /// The datums. The channel closes at the end, or when the feed fails.
    pub(crate) entries: mpsc::Receiver<PlannedDatum>,
    /// Fills the channel; must be polled beside the receiver.
    pub(crate) feed: Feed,
}

/// See [`DatumSource::feed`].
pub(crate) type Feed = Pin<Box<dyn Future<Output = Result<(), FeedError>> + Send>>;

/// Why an expansion ended early.
#[derive(Debug)]
pub(crate) enum FeedError {
    /// An input cannot be read: the job fails with the reason.
    Inputs(String),
    /// Store, queue or machine failed.
    Infrastructure(CoordinateError),
}

/// The datums of an expansion, on a dedicated thread. Datums found in `done` are skipped.
pub(crate) fn expansion(
    datums: impl Iterator<Item = Result<Datum, ExpandError>> + Send + 'static,
    done: Option<Arc<DoneIndex>>,
) -> Result<DatumSource, CoordinateError> {
    let (sender, entries) = mpsc::channel(AHEAD);
    let feed = on_thread(move || feed(datums, done.as_deref(), &sender))?;
    Ok(DatumSource { entries, feed })
}

/// The datums of an expansion after the first `known` ones; datums found in `done` are skipped. Datum number
/// `known - 1` must have the id `last`: after a change of the inputs all indexes would be wrong.
pub(crate) fn continuation(
    mut datums: impl Iterator<Item = Result<Datum, ExpandError>> + Send + 'static,
    done: Option<Arc<DoneIndex>>,
    known: u64,
    last: DatumId,
) -> Result<DatumSource, CoordinateError> {
    let place = usize::try_from(known.saturating_sub(1)).unwrap_or(usize::MAX);
    let (sender, entries) = mpsc::channel(AHEAD);
    let feed = on_thread(move || match datums.nth(place) {
        Some(Ok(datum)) if datum.id == last => feed(datums, done.as_deref(), &sender),
        Some(Err(error)) => Err(FeedError::Inputs(with_causes(&error))),
        Some(Ok(_)) | None => Err(FeedError::Inputs(MOVED.to_owned())),
    })?;
    Ok(DatumSource { entries, feed })
}

/// Runs `feed` on a dedicated thread, because the runtime waits for its own threads at exit and a huge file may take
/// long to read.
fn on_thread(
    feed: impl FnOnce() -> Result<(), FeedError> + Send + 'static,
) -> Result<Feed, CoordinateError> {
    let (sender, result) = oneshot::channel();
    std::thread::Builder::new()
        .name("expand".to_owned())
        .spawn(move || {
            // The receiver is gone if the job has ended meanwhile.
            let _ = sender.send(feed());
        })?;
    Ok(Box::pin(async move {
        result.await.unwrap_or_else(|_| Err(died()))
    }))
}

fn feed(
    datums: impl Iterator<Item = Result<Datum, ExpandError>>,
    done: Option<&DoneIndex>,
    entries: &mpsc::Sender<PlannedDatum>,
) -> Result<(), FeedError> {
    for datum in datums {
        let datum = datum.map_err(|error| FeedError::Inputs(with_causes(&error)))?;
        let done = done.and_then(|done| done.get(datum.id));
        let entry = ManifestEntry {
            datum,
            done,
            redo: None,
        };
        if entries.blocking_send(entry.into()).is_err() {
            break;
        }
    }
    Ok(())
}

/// The datums of a list.
pub(crate) fn listed(datums: Vec<Datum>) -> DatumSource {
    let (sender, entries) = mpsc::channel(AHEAD);
    let feed = Box::pin(async move {
        for datum in datums {
            let entry = ManifestEntry {
                datum,
                done: None,
                redo: None,
            };
            if sender.send(entry.into()).await.is_err() {
                break;
            }
        }
        Ok(())
    });
    DatumSource { entries, feed }
}

/// An empty stream.
pub(crate) fn nothing() -> DatumSource {
    listed(Vec::new())
}

fn died() -> FeedError {
    let error = std::io::Error::other("the thread that expands the inputs died");
    FeedError::Infrastructure(CoordinateError::Machine(error))
}
