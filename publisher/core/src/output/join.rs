//! Pure: merges three streams sorted by path.

use std::iter::Peekable;

use drover_shared::store::Entry;

use super::OutputError;
use super::durable::RecordedFile;
use super::piece::DesiredFile;

/// A path in the three streams, at least in one of them.
#[derive(Debug)]
pub(super) struct PathRow {
    /// Desired file.
    pub(super) desired: Option<DesiredFile>,
    /// File on record as written by Drover.
    pub(super) recorded: Option<RecordedFile>,
    /// File found in the output folder.
    pub(super) found: Option<Entry>,
}

/// Merge of three streams.
pub(super) struct PathJoin<W: Iterator, R: Iterator, F: Iterator> {
    desired: Peekable<W>,
    recorded: Peekable<R>,
    found: Peekable<F>,
}

impl<W, R, F> PathJoin<W, R, F>
where
    W: Iterator<Item = Result<DesiredFile, OutputError>>,
    R: Iterator<Item = Result<RecordedFile, OutputError>>,
    F: Iterator<Item = Result<Entry, OutputError>>,
{
    /// Joins three streams, each sorted by path, without repetitions.
    pub(super) fn new(desired: W, recorded: R, found: F) -> Self {
        Self {
            desired: desired.peekable(),
            recorded: recorded.peekable(),
            found: found.peekable(),
        }
    }

    /// The next path in byte order; none at the end.
    pub(super) fn next_row(&mut self) -> Result<Option<PathRow>, OutputError> {
        let desired = head(&mut self.desired)?.map(|desired| &desired.path);
        let recorded = head(&mut self.recorded)?.map(|recorded| &recorded.path);
        let found = head(&mut self.found)?.map(|found| &found.path);
        let Some(path) = [desired, recorded, found]
            .into_iter()
            .flatten()
            .min()
            .cloned()
        else {
            return Ok(None);
        };
        Ok(Some(PathRow {
            desired: take(&mut self.desired, |desired| desired.path == path)?,
            recorded: take(&mut self.recorded, |recorded| recorded.path == path)?,
            found: take(&mut self.found, |found| found.path == path)?,
        }))
    }
}

/// Peeks at the next item of a stream. An error is removed and returned.
fn head<T, I: Iterator<Item = Result<T, OutputError>>>(
    stream: &mut Peekable<I>,
) -> Result<Option<&T>, OutputError> {
    if let Some(Err(error)) = stream.next_if(Result::is_err) {
        return Err(error);
    }
    Ok(stream.peek().and_then(|item| item.as_ref().ok()))
}

fn take<T, I: Iterator<Item = Result<T, OutputError>>>(
    stream: &mut Peekable<I>,
    is_it: impl Fn(&T) -> bool,
) -> Result<Option<T>, OutputError> {
    stream
        .next_if(|item| item.as_ref().is_ok_and(&is_it))
        .transpose()
}
