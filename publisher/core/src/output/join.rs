//! Pure: reads three streams, each sorted by path, side by side.

use std::iter::Peekable;

use drover_shared::store::Entry;

use super::PublicationError;
use super::piece::Wanted;
use super::record::Recorded;

/// One path as the three streams show it; at least one does.
#[derive(Debug)]
pub(super) struct Row {
    /// As it should be.
    pub(super) wanted: Option<Wanted>,
    /// As it is on record as ours.
    pub(super) recorded: Option<Recorded>,
    /// As it was found in the output folder.
    pub(super) found: Option<Entry>,
}

/// Three streams side by side.
pub(super) struct Join<W: Iterator, R: Iterator, F: Iterator> {
    wanted: Peekable<W>,
    recorded: Peekable<R>,
    found: Peekable<F>,
}

impl<W, R, F> Join<W, R, F>
where
    W: Iterator<Item = Result<Wanted, PublicationError>>,
    R: Iterator<Item = Result<Recorded, PublicationError>>,
    F: Iterator<Item = Result<Entry, PublicationError>>,
{
    /// Joins three streams, each sorted by path, without repetitions.
    pub(super) fn new(wanted: W, recorded: R, found: F) -> Self {
        Self {
            wanted: wanted.peekable(),
            recorded: recorded.peekable(),
            found: found.peekable(),
        }
    }

    /// The next path in byte order; none at the end.
    pub(super) fn next_row(&mut self) -> Result<Option<Row>, PublicationError> {
        let wanted = head(&mut self.wanted)?.map(|wanted| &wanted.path);
        let recorded = head(&mut self.recorded)?.map(|recorded| &recorded.path);
        let found = head(&mut self.found)?.map(|found| &found.path);
        let Some(path) = [wanted, recorded, found]
            .into_iter()
            .flatten()
            .min()
            .cloned()
        else {
            return Ok(None);
        };
        Ok(Some(Row {
            wanted: take(&mut self.wanted, |wanted| wanted.path == path)?,
            recorded: take(&mut self.recorded, |recorded| recorded.path == path)?,
            found: take(&mut self.found, |found| found.path == path)?,
        }))
    }
}

/// A stream's next item, left in its place. An error there is taken out and returned.
fn head<T, I: Iterator<Item = Result<T, PublicationError>>>(
    stream: &mut Peekable<I>,
) -> Result<Option<&T>, PublicationError> {
    if let Some(Err(error)) = stream.next_if(Result::is_err) {
        return Err(error);
    }
    Ok(stream.peek().and_then(|item| item.as_ref().ok()))
}

fn take<T, I: Iterator<Item = Result<T, PublicationError>>>(
    stream: &mut Peekable<I>,
    is_it: impl Fn(&T) -> bool,
) -> Result<Option<T>, PublicationError> {
    stream
        .next_if(|item| item.as_ref().is_ok_and(&is_it))
        .transpose()
}
