//! Applies a plan: removes, then writes. May be interrupted anywhere and repeated.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use drover_shared::store::{Store, StoreError, StoreKey};
use futures::{StreamExt, stream};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::bucket::{is_worth_a_listing, record_written};
use super::durable::{RecordedFile, ScratchList};
use super::plan::{AppliedPlan, FileToWrite, Plan, PlanStep};
use super::{FileProgress, LatestLook, OutputError};

/// Files of a folder written or removed at the same time.
const IN_FOLDER: usize = 16;

/// The same in a bucket: enough to hide the latency.
const IN_BUCKET: usize = 64;

/// Target of a plan.
pub(super) struct OutputFolder<'a> {
    pub(super) store: &'a Store,
    pub(super) folder: &'a StoreKey,
    /// Local folder for temporary files.
    pub(super) scratch: &'a Path,
    /// Stops between two changes.
    pub(super) stop: &'a CancellationToken,
    /// Each change waits until the latest look is recent.
    pub(super) look: &'a LatestLook,
    /// Called after each change.
    pub(super) progress: &'a (dyn Fn(FileProgress) + Sync),
}

/// Result of one step.
enum WriteResult {
    Written(RecordedFile),
    Lost {
        recorded: RecordedFile,
        datums: Vec<u64>,
    },
    Removed,
}

/// Applies `plan`.
pub(super) async fn apply(
    site: &OutputFolder<'_>,
    plan: &Plan,
) -> Result<AppliedPlan, OutputError> {
    let mut progress = FileProgress {
        done: 0,
        total: plan.changes,
    };
    (site.progress)(progress);
    remove(site, plan, &mut progress).await?;
    let looks = Looks::at(plan, site.store);
    let applied = write(site, plan, looks, &mut progress).await?;
    match looks {
        Looks::Together if applied.lost.is_empty() => look_together(site, plan).await,
        Looks::Together | Looks::Each => Ok(applied),
    }
}

/// How the files are looked at after they were written.
#[derive(Clone, Copy, Debug)]
enum Looks {
    /// Each file right after it was written.
    Each,
    /// All files of a bucket at the end, by a listing.
    Together,
}

impl Looks {
    fn at(plan: &Plan, store: &Store) -> Self {
        let foreign = plan.foreign.as_ref().map_or(0, |(count, _)| *count);
        let is_bucket = store.local_root().is_none();
        if is_bucket && is_worth_a_listing(plan.changes, plan.files + foreign) {
            Self::Together
        } else {
            Self::Each
        }
    }
}

/// Records the files that were written to a bucket.
async fn look_together(site: &OutputFolder<'_>, plan: &Plan) -> Result<AppliedPlan, OutputError> {
    let (store, folder, steps) = (site.store.clone(), site.folder.clone(), plan.steps()?);
    let after = ScratchList::new(site.scratch)?;
    let looking = spawn_blocking(move || record_written(&store, &folder, steps, after));
    looking.await.map_err(io::Error::other)?
}

/// Removals come first, because a file may replace a directory of the same name.
async fn remove(
    site: &OutputFolder<'_>,
    plan: &Plan,
    progress: &mut FileProgress,
) -> Result<(), OutputError> {
    let removals = plan.steps()?.filter_map(|step| match step {
        Ok(PlanStep::Delete(path)) => Some(Ok(path)),
        Ok(PlanStep::Keep(_) | PlanStep::Write(_)) => None,
        Err(error) => Some(Err(OutputError::from(error))),
    });
    let remove = |path: Result<String, _>| async { remove_file(site, &path?).await };
    each(site, removals, remove, |()| site.advance(progress)).await
}

async fn remove_file(site: &OutputFolder<'_>, path: &str) -> Result<(), OutputError> {
    let key = super::key_of(site.folder, path)?;
    site.look.recent().await;
    Ok(site.store.delete(&key).await?)
}

async fn write(
    site: &OutputFolder<'_>,
    plan: &Plan,
    looks: Looks,
    progress: &mut FileProgress,
) -> Result<AppliedPlan, OutputError> {
    let mut after = ScratchList::new(site.scratch)?;
    let mut lost = BTreeSet::new();
    let note = |(made, changed)| {
        match made {
            WriteResult::Written(recorded) => after.write(&recorded)?,
            WriteResult::Lost { recorded, datums } => {
                after.write(&recorded)?;
                lost.extend(datums);
            }
            WriteResult::Removed => {}
        }
        if changed {
            site.advance(progress)?;
        }
        Ok(())
    };
    let make = |step: io::Result<PlanStep>| async { make(site, step?, looks).await };
    each(site, plan.steps()?, make, note).await?;
    Ok(AppliedPlan {
        after: after.finish()?,
        lost,
    })
}

/// Runs `work` for each step, several at a time, and passes the results on in the order of the steps. After the first
/// error no step starts, but started steps are awaited: a file written after the end of its publication would be
/// foreign to the next one.
async fn each<S, T, F: Future<Output = Result<T, OutputError>>>(
    site: &OutputFolder<'_>,
    steps: impl Iterator<Item = S>,
    work: impl Fn(S) -> F,
    mut pass_on: impl FnMut(T) -> Result<(), OutputError>,
) -> Result<(), OutputError> {
    let is_local = site.store.local_root().is_some();
    let at_once = if is_local { IN_FOLDER } else { IN_BUCKET };
    let is_over = AtomicBool::new(false);
    let steps = steps.take_while(|_| !is_over.load(Ordering::Relaxed));
    let mut results = pin!(stream::iter(steps).map(work).buffered(at_once));
    let mut ended = Ok(());
    while let Some(result) = results.next().await {
        if ended.is_ok() {
            ended = result.and_then(&mut pass_on);
            is_over.store(ended.is_err(), Ordering::Relaxed);
        }
    }
    ended
}

/// Executes one step; the flag is true for a change.
async fn make(
    site: &OutputFolder<'_>,
    step: PlanStep,
    looks: Looks,
) -> Result<(WriteResult, bool), OutputError> {
    match step {
        PlanStep::Keep(recorded) => Ok((WriteResult::Written(recorded), false)),
        PlanStep::Delete(_) => Ok((WriteResult::Removed, false)),
        PlanStep::Write(file) => Ok((make_file(site, file, looks).await?, true)),
    }
}

async fn make_file(
    site: &OutputFolder<'_>,
    file: FileToWrite,
    looks: Looks,
) -> Result<WriteResult, OutputError> {
    let to = super::key_of(site.folder, &file.path)?;
    let parts: Vec<StoreKey> = file
        .sources
        .iter()
        .map(super::piece::StagedFile::key)
        .collect();
    site.look.recent().await;
    let written = match parts.as_slice() {
        [part] => site.store.link(part, &to).await,
        parts => site.store.concat(parts, &to).await,
    };
    let entry = match (written, looks) {
        (Ok(None), Looks::Each) => Some(site.store.entry(&to).await?),
        (Ok(entry), _) => entry,
        (Err(StoreError::Missing { key }), _) if parts.contains(&key) => {
            return Ok(lose(file, Some(&key)));
        }
        (Err(error), _) => return Err(error.into()),
    };
    if entry.as_ref().is_some_and(|entry| !file.is_whole(entry)) {
        return Ok(lose(file, None));
    }
    let version = entry.map(|entry| entry.version);
    let pieces = piece_versions(site, &parts, version.as_deref()).await?;
    let FileToWrite { path, made_of, .. } = file;
    Ok(WriteResult::Written(RecordedFile {
        path,
        made_of,
        version,
        pieces,
    }))
}

/// Versions of the pieces of a file just written; empty if the file is a hard link to its only piece.
async fn piece_versions(
    site: &OutputFolder<'_>,
    parts: &[StoreKey],
    written: Option<&str>,
) -> Result<Vec<String>, OutputError> {
    if site.store.local_root().is_none() {
        return Ok(Vec::new());
    }
    let mut versions = Vec::with_capacity(parts.len());
    for part in parts {
        versions.push(site.store.entry(part).await?.version);
    }
    if let [version] = versions.as_slice()
        && Some(version.as_str()) == written
    {
        versions.clear();
    }
    Ok(versions)
}

/// Marks a file as lost: the datums of the missing piece, or all of its datums.
fn lose(file: FileToWrite, missing: Option<&StoreKey>) -> WriteResult {
    let is_to_blame = |key: StoreKey| missing.is_none_or(|missing| *missing == key);
    let datums = file
        .sources
        .iter()
        .filter(|source| is_to_blame(source.key()))
        .map(|source| source.index)
        .collect();
    WriteResult::Lost {
        recorded: RecordedFile {
            path: file.path,
            made_of: String::new(),
            version: None,
            pieces: Vec::new(),
        },
        datums,
    }
}

impl OutputFolder<'_> {
    /// Counts a change; fails if the job was stopped.
    fn advance(&self, progress: &mut FileProgress) -> Result<(), OutputError> {
        progress.done += 1;
        (self.progress)(*progress);
        if self.stop.is_cancelled() {
            Err(OutputError::Stopped)
        } else {
            Ok(())
        }
    }
}
