//! Where the datums of a new job come from, each with the place where its work was done before, if it was.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use drover_shared::datum::{Datum, Verdict};
use drover_shared::id::DatumId;
use drover_shared::ledger::{DoneIndex, ManifestEntry};
use tokio::sync::{mpsc, oneshot};

use crate::coordinator::CoordinateError;
use crate::coordinator::reason::chain;
use crate::expand::ExpandError;

/// Datums expanded ahead of the manifest; enough that the thread seldom waits.
const AHEAD: usize = 1024;

/// Why a job cannot be continued whose inputs changed.
const MOVED: &str = "its inputs changed before all its datums were known; run it again";

/// A datum on its way into the manifest.
#[derive(Debug, PartialEq)]
pub(crate) struct Coming {
    /// The datum.
    pub(crate) entry: ManifestEntry,
    /// How it ended before the job began: it is not run.
    pub(crate) verdict: Option<Box<Verdict>>,
}

impl From<ManifestEntry> for Coming {
    fn from(entry: ManifestEntry) -> Self {
        Self {
            entry,
            verdict: None,
        }
    }
}

/// A stream of datums, in order.
pub(crate) struct Source {
    /// The datums. The stream ends when there are no more, or when the feed failed.
    pub(crate) entries: mpsc::Receiver<Coming>,
    /// Feeds the stream; to be polled beside it. Tells why it could not be fed to its end.
    pub(crate) feed: Feed,
}

/// See [`Source::feed`].
pub(crate) type Feed = Pin<Box<dyn Future<Output = Result<(), FeedError>> + Send>>;

/// Why the datums are not all known.
#[derive(Debug)]
pub(crate) enum FeedError {
    /// An input cannot be read, for this reason: the job fails.
    Inputs(String),
    /// The job cannot be seen through.
    Machinery(CoordinateError),
}

/// The datums of an expansion, made on a thread of its own; `done` tells which are skipped.
pub(crate) fn expansion(
    datums: impl Iterator<Item = Result<Datum, ExpandError>> + Send + 'static,
    done: Option<Arc<DoneIndex>>,
) -> Result<Source, CoordinateError> {
    let (sender, entries) = mpsc::channel(AHEAD);
    let feed = on_thread(move || feed(datums, done.as_deref(), &sender))?;
    Ok(Source { entries, feed })
}

/// The datums of an expansion after the first `known`, the last of which did the work `last`; `done` tells which
/// are skipped. The inputs must be what they were: else the datums would get other places.
pub(crate) fn continuation(
    mut datums: impl Iterator<Item = Result<Datum, ExpandError>> + Send + 'static,
    done: Option<Arc<DoneIndex>>,
    known: u64,
    last: DatumId,
) -> Result<Source, CoordinateError> {
    let place = usize::try_from(known.saturating_sub(1)).unwrap_or(usize::MAX);
    let (sender, entries) = mpsc::channel(AHEAD);
    let feed = on_thread(move || match datums.nth(place) {
        Some(Ok(datum)) if datum.id == last => feed(datums, done.as_deref(), &sender),
        Some(Err(error)) => Err(FeedError::Inputs(chain(&error))),
        Some(Ok(_)) | None => Err(FeedError::Inputs(MOVED.to_owned())),
    })?;
    Ok(Source { entries, feed })
}

/// Runs `feed` on a thread of its own and not one of the runtime's: reading a huge file must not delay the end of
/// the process.
fn on_thread(
    feed: impl FnOnce() -> Result<(), FeedError> + Send + 'static,
) -> Result<Feed, CoordinateError> {
    let (sender, result) = oneshot::channel();
    std::thread::Builder::new()
        .name("expand".to_owned())
        .spawn(move || {
            // Nobody listens any more when the job has ended meanwhile.
            let _ = sender.send(feed());
        })?;
    Ok(Box::pin(async move {
        result.await.unwrap_or_else(|_| Err(died()))
    }))
}

fn feed(
    datums: impl Iterator<Item = Result<Datum, ExpandError>>,
    done: Option<&DoneIndex>,
    entries: &mpsc::Sender<Coming>,
) -> Result<(), FeedError> {
    for datum in datums {
        let datum = datum.map_err(|error| FeedError::Inputs(chain(&error)))?;
        let done = done.and_then(|done| done.get(datum.id));
        if entries
            .blocking_send(ManifestEntry { datum, done }.into())
            .is_err()
        {
            break;
        }
    }
    Ok(())
}

/// No datums.
pub(crate) fn nothing() -> Source {
    let (_, entries) = mpsc::channel(1);
    Source {
        entries,
        feed: Box::pin(std::future::ready(Ok(()))),
    }
}

fn died() -> FeedError {
    let error = std::io::Error::other("the thread that expands the inputs died");
    FeedError::Machinery(CoordinateError::Machine(error))
}
