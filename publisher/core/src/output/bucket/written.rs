//! The record of a bucket's output folder, by a listing after the last write: one request for a thousand files.

use std::collections::BTreeSet;
use std::iter::Peekable;

use drover_shared::store::{Entry, Store, StoreError, StoreKey, Walk};
use tokio::runtime::Handle;

use crate::output::OutputError;
use crate::output::durable::{RecordedFile, ScratchList};
use crate::output::plan::{AppliedPlan, FileToWrite, PlanStep};

/// Records the files of the `steps`, all of which were carried out in `folder`. Blocking.
pub(in crate::output) fn record_written(
    store: &Store,
    folder: &StoreKey,
    steps: impl Iterator<Item = std::io::Result<PlanStep>>,
    mut after: ScratchList,
) -> Result<AppliedPlan, OutputError> {
    let mut listing = store.walk(folder)?.peekable();
    let mut lost = BTreeSet::new();
    for step in steps {
        match step? {
            PlanStep::Keep(recorded) => after.write(&recorded)?,
            PlanStep::Delete(_) => {}
            PlanStep::Write(file) => {
                let entry = match listed(&mut listing, &file.path)? {
                    Some(entry) => Some(entry),
                    None => look(store, folder, &file.path)?,
                };
                if entry.as_ref().is_some_and(|entry| !file.is_whole(entry)) {
                    lost.extend(file.sources.iter().map(|source| source.index));
                }
                after.write(&record(file, entry))?;
            }
        }
    }
    Ok(AppliedPlan {
        after: after.finish()?,
        lost,
    })
}

/// The entry of a path, if listed. Paths must ascend.
fn listed(listing: &mut Peekable<Walk>, path: &str) -> Result<Option<Entry>, StoreError> {
    loop {
        // Names that are no paths cannot be outputs.
        let is_passed = |entry: &Result<Entry, StoreError>| match entry {
            Ok(entry) => entry.path.as_str() < path,
            Err(error) => matches!(error, StoreError::Irregular { .. }),
        };
        if listing.next_if(is_passed).is_none() {
            let found = listing.next_if(|entry| entry.as_ref().map_or(true, |it| it.path == path));
            return found.transpose();
        }
    }
}

/// A look at a file that the listing does not show: a user has removed the file, or the listing lags.
fn look(store: &Store, folder: &StoreKey, path: &str) -> Result<Option<Entry>, OutputError> {
    let key = crate::output::key_of(folder, path)?;
    match Handle::current().block_on(store.entry(&key)) {
        Ok(entry) => Ok(Some(entry)),
        Err(StoreError::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The record of a written file; without a version, the next publication writes the file again.
fn record(file: FileToWrite, entry: Option<Entry>) -> RecordedFile {
    RecordedFile {
        path: file.path,
        made_of: file.made_of,
        version: entry.map(|entry| entry.version),
        pieces: Vec::new(),
    }
}
