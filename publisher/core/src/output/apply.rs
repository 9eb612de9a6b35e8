//! Carries a plan out: removes, then writes. May be cut off anywhere and done again.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use drover_shared::store::{Entry, Store, StoreError, StoreKey};
use futures::{StreamExt, stream};
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

use super::plan::{Making, Plan, Step};
use super::record::{RecordWriter, Recorded};
use super::{FileProgress, PublicationError};

/// Files written or removed at the same time: enough to hide a bucket's latency.
const AT_ONCE: usize = 16;

/// Where a plan is carried out.
pub(super) struct Site<'a> {
    /// The store.
    pub(super) store: &'a Store,
    /// The output folder.
    pub(super) folder: &'a StoreKey,
    /// A folder of this machine for files being written.
    pub(super) scratch: &'a Path,
    /// Asks to stop.
    pub(super) stop: &'a CancellationToken,
    /// Told after each change.
    pub(super) progress: &'a (dyn Fn(FileProgress) + Sync),
}

/// What became of the output folder.
pub(super) struct Applied {
    /// The record of what lies there.
    pub(super) after: NamedTempFile,
    /// Datums, by index, whose stored output is gone or was altered.
    pub(super) lost: BTreeSet<u64>,
}

/// What became of one file.
enum Made {
    Lies(Recorded),
    Lost {
        recorded: Recorded,
        datums: Vec<u64>,
    },
    Removed,
}

/// Carries `plan` out.
pub(super) async fn apply(site: &Site<'_>, plan: &Plan) -> Result<Applied, PublicationError> {
    let mut progress = FileProgress {
        done: 0,
        total: plan.changes,
    };
    (site.progress)(progress);
    remove(site, plan, &mut progress).await?;
    write(site, plan, &mut progress).await
}

/// Removals come first: a directory may have to make room for a file of its name.
async fn remove(
    site: &Site<'_>,
    plan: &Plan,
    progress: &mut FileProgress,
) -> Result<(), PublicationError> {
    let removals = plan.steps()?.filter_map(|step| match step {
        Ok(Step::Delete(path)) => Some(Ok(path)),
        Ok(Step::Keep(_) | Step::Write(_)) => None,
        Err(error) => Some(Err(PublicationError::from(error))),
    });
    let remove = |path: Result<String, _>| async { remove_file(site, &path?).await };
    each(removals, remove, |()| site.advance(progress)).await
}

async fn remove_file(site: &Site<'_>, path: &str) -> Result<(), PublicationError> {
    let key = super::key_of(site.folder, path)?;
    Ok(site.store.delete(&key).await?)
}

async fn write(
    site: &Site<'_>,
    plan: &Plan,
    progress: &mut FileProgress,
) -> Result<Applied, PublicationError> {
    let mut after = RecordWriter::new(site.scratch)?;
    let mut lost = BTreeSet::new();
    let note = |(made, changed)| {
        match made {
            Made::Lies(recorded) => after.write(&recorded)?,
            Made::Lost { recorded, datums } => {
                after.write(&recorded)?;
                lost.extend(datums);
            }
            Made::Removed => {}
        }
        if changed {
            site.advance(progress)?;
        }
        Ok(())
    };
    let make = |step: io::Result<Step>| async { make(site, step?).await };
    each(plan.steps()?, make, note).await?;
    Ok(Applied {
        after: after.finish()?,
        lost,
    })
}

/// Does `work` for each step, several at a time, and hands on the results in the order of the steps. After the first
/// error nothing more is begun, but what was begun is waited for: a file that came after the end of its publication
/// would be a stranger's to the next one.
async fn each<S, T, F: Future<Output = Result<T, PublicationError>>>(
    steps: impl Iterator<Item = S>,
    work: impl Fn(S) -> F,
    mut hand_on: impl FnMut(T) -> Result<(), PublicationError>,
) -> Result<(), PublicationError> {
    let is_over = AtomicBool::new(false);
    let steps = steps.take_while(|_| !is_over.load(Ordering::Relaxed));
    let mut results = pin!(stream::iter(steps).map(work).buffered(AT_ONCE));
    let mut ended = Ok(());
    while let Some(result) = results.next().await {
        if ended.is_ok() {
            ended = result.and_then(&mut hand_on);
            is_over.store(ended.is_err(), Ordering::Relaxed);
        }
    }
    ended
}

/// Makes one file, if it is to be made; tells whether that changed anything.
async fn make(site: &Site<'_>, step: Step) -> Result<(Made, bool), PublicationError> {
    match step {
        Step::Keep(recorded) => Ok((Made::Lies(recorded), false)),
        Step::Delete(_) => Ok((Made::Removed, false)),
        Step::Write(making) => Ok((make_file(site, making).await?, true)),
    }
}

async fn make_file(site: &Site<'_>, making: Making) -> Result<Made, PublicationError> {
    let to = super::key_of(site.folder, &making.path)?;
    let parts: Vec<StoreKey> = making
        .sources
        .iter()
        .map(super::piece::Source::key)
        .collect();
    let entry = match parts.as_slice() {
        [part] => site.store.link(part, &to).await,
        parts => site.store.concat(parts, &to).await,
    };
    match entry {
        Ok(entry) if is_whole(&making, &entry) => {
            let Making { path, made_of, .. } = making;
            Ok(Made::Lies(Recorded {
                path,
                made_of,
                version: Some(entry.version),
            }))
        }
        Ok(_) => Ok(lose(making, None)),
        Err(StoreError::Missing { key }) if parts.contains(&key) => Ok(lose(making, Some(&key))),
        Err(error) => Err(error.into()),
    }
}

/// Whether the pieces are what they were when they were committed. Writing into a hard-linked output
/// alters the piece itself: then making the file again gives just what was found.
fn is_whole(making: &Making, made: &Entry) -> bool {
    let size = making.sources.iter().map(|source| source.size).sum::<u64>();
    let in_place = making.sources.len() == 1 && making.altered.as_ref() == Some(&made.version);
    made.size == size && !in_place
}

/// The datums to blame for a file that cannot be made: those of the missing piece, else all.
fn lose(making: Making, missing: Option<&StoreKey>) -> Made {
    let is_to_blame = |key: StoreKey| missing.is_none_or(|missing| *missing == key);
    let datums = making
        .sources
        .iter()
        .filter(|source| is_to_blame(source.key()))
        .map(|source| source.index)
        .collect();
    Made::Lost {
        recorded: Recorded {
            path: making.path,
            made_of: String::new(),
            version: None,
        },
        datums,
    }
}

impl Site<'_> {
    /// Counts one change; an opportunity to stop.
    fn advance(&self, progress: &mut FileProgress) -> Result<(), PublicationError> {
        progress.done += 1;
        (self.progress)(*progress);
        if self.stop.is_cancelled() {
            Err(PublicationError::Stopped)
        } else {
            Ok(())
        }
    }
}
