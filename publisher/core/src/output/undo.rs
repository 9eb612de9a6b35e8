//! The undo log: what a publication changes, noted before the first change, so the changes of a job that does not succeed
//! are taken back, in whatever way its process ended.
//!
//! The log stands until its job has its final record. A log that is found later is settled: the changes of a job that
//! succeeded stay, all others are taken back. Only a folder has a log, where a backup is a second link to the file; a
//! bucket would need a copy of every object.

use std::fs::Metadata;
use std::io::{self, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobState;
use drover_shared::ledger::{CheckedReader, Ledger};
use drover_shared::store::{Store, StoreError, StoreKey, layout};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::OutputError;
use super::durable::ScratchList;
use super::plan::{Plan, PlanStep};

/// Backups made at the same time.
const AT_ONCE: usize = 16;

/// The first line of the log.
#[derive(Debug, Deserialize, Serialize)]
struct LogHead {
    /// The publishing job.
    job: JobId,
}

/// A key to be changed.
#[derive(Debug, Deserialize, Serialize)]
struct Change {
    key: StoreKey,
    /// Number of the backup of the former content; none if there was no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backup: Option<u64>,
}

/// Backs up every file that `plan` changes, and writes the log. Nothing of the output folder may change before.
pub(super) async fn begin(
    store: &Store,
    pipeline: &PipelineName,
    job: JobId,
    plan: &Plan,
    scratch: &Path,
) -> Result<(), OutputError> {
    if store.local_root().is_none() {
        return Ok(());
    }
    // Backups without a log are of a process that died in this function.
    store.delete_all(&layout::undo(pipeline)).await?;
    let mut log = ScratchList::new(scratch)?;
    log.write(&LogHead { job })?;
    let output = layout::output(pipeline);
    let record = [Ok((layout::published(pipeline), true))];
    let changes = record.into_iter().chain(changed_keys(plan, &output)?);
    let changes = stream::iter((0..).zip(changes)).map(|(n, changed)| async move {
        let (key, exists) = changed?;
        let backup = layout::backup(pipeline, n);
        let is_backed_up = exists && store.preserve(&key, &backup).await?;
        let backup = is_backed_up.then_some(n);
        Ok::<_, OutputError>(Change { key, backup })
    });
    let mut changes = std::pin::pin!(changes.buffered(AT_ONCE));
    while let Some(change) = changes.try_next().await? {
        log.write(&change)?;
    }
    let key = layout::undo_log(pipeline);
    store.adopt(log.finish()?.path(), &key).await?;
    Ok(store.persist(&key).await?)
}

/// The keys changed by `plan`, removals first as in the execution; true if a file is there.
fn changed_keys(
    plan: &Plan,
    output: &StoreKey,
) -> Result<impl Iterator<Item = Result<(StoreKey, bool), OutputError>>, OutputError> {
    let removed = plan.steps()?.filter_map(|step| match step {
        Ok(PlanStep::Delete(path)) => Some(Ok((path, true))),
        Ok(PlanStep::Keep(_) | PlanStep::Write(_)) => None,
        Err(error) => Some(Err(error)),
    });
    let written = plan.steps()?.filter_map(|step| match step {
        Ok(PlanStep::Write(file)) => Some(Ok((file.path, file.exists))),
        Ok(PlanStep::Keep(_) | PlanStep::Delete(_)) => None,
        Err(error) => Some(Err(error)),
    });
    let output = output.clone();
    Ok(removed.chain(written).map(move |changed| {
        let (path, exists) = changed?;
        Ok((super::key_of(&output, &path)?, exists))
    }))
}

/// True if a log stands, which must be settled before the output folder is used or changed.
pub(crate) async fn has_undo_log(
    store: &Store,
    pipeline: &PipelineName,
) -> Result<bool, StoreError> {
    if store.local_root().is_none() {
        return Ok(false);
    }
    let names = store.names(&layout::undo(pipeline)).await?;
    Ok(names.iter().any(|name| name.starts_with("log")))
}

/// Settles the log, if one stands. Only for the holder of the lock on the output folder. May be interrupted and
/// repeated.
pub(crate) async fn settle(ledger: &Ledger, pipeline: &PipelineName) -> Result<(), StoreError> {
    let store = ledger.store();
    if !has_undo_log(store, pipeline).await? {
        return Ok(());
    }
    match read(store, pipeline).await {
        Ok((head, changes)) => {
            if !is_published(ledger, head.job).await? {
                roll_back(store, pipeline, changes).await?;
            }
        }
        Err(error) => {
            tracing::warn!(
                pipeline.name = %pipeline,
                "{} is damaged ({error}) and removed: an interrupted publication cannot be taken back; the next job that succeeds \
                 completes the output folder {pipeline}",
                layout::undo_log(pipeline),
            );
        }
    }
    forget(store, pipeline).await
}

/// Removes the log of `job`, whose changes stay. Only for the holder of the lock on the output folder.
pub(crate) async fn keep_changes(
    store: &Store,
    pipeline: &PipelineName,
    job: JobId,
) -> Result<(), StoreError> {
    if !has_undo_log(store, pipeline).await? {
        return Ok(());
    }
    match read(store, pipeline).await {
        // A later job publishes.
        Ok((head, _)) if head.job != job => Ok(()),
        Ok(_) | Err(_) => forget(store, pipeline).await,
    }
}

/// Removes the log first: backups without a log mean nothing.
async fn forget(store: &Store, pipeline: &PipelineName) -> Result<(), StoreError> {
    let log = layout::undo_log(pipeline);
    store.delete(&log).await?;
    store.delete_all(&log).await?; // a directory in its place
    store.delete_all(&layout::undo(pipeline)).await
}

/// True if the output of the job was complete.
async fn is_published(ledger: &Ledger, job: JobId) -> Result<bool, StoreError> {
    match ledger.job(job).await {
        Ok(record) => Ok(matches!(
            record.state,
            JobState::Success | JobState::Egressing
        )),
        Err(StoreError::Missing { .. } | StoreError::Corrupt { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn read(store: &Store, pipeline: &PipelineName) -> io::Result<(LogHead, Vec<Change>)> {
    let key = layout::undo_log(pipeline);
    let (store, damaged) = (store.clone(), || {
        io::Error::from(io::ErrorKind::InvalidData)
    });
    let reading = tokio::task::spawn_blocking(move || {
        let file = store.open_local(&key).ok_or_else(damaged)??;
        let mut lines = CheckedReader::of_list(BufReader::new(file));
        let head = lines.read_line()?.ok_or_else(damaged)?;
        let changes = std::iter::from_fn(|| lines.read_line().transpose());
        Ok((head, changes.collect::<io::Result<_>>()?))
    });
    reading.await.map_err(io::Error::other)?
}

/// Takes all changes back, the last one first. Backups stay until the log is removed.
async fn roll_back(
    store: &Store,
    pipeline: &PipelineName,
    changes: Vec<Change>,
) -> Result<(), StoreError> {
    for Change { key, backup } in changes.into_iter().rev() {
        if is_behind_link(store, &layout::output(pipeline), &key) {
            continue;
        }
        match backup.map(|n| layout::backup(pipeline, n)) {
            // A missing backup was taken by a power cut, and with it all later changes.
            Some(backup) => drop(store.preserve(&backup, &key).await?),
            None if is_ours(store, &key) => store.delete(&key).await?,
            None => {}
        }
    }
    Ok(())
}

/// True if a directory of the output folder that leads to the file was replaced by a link: whatever is behind the link is a user's.
fn is_behind_link(store: &Store, folder: &StoreKey, key: &StoreKey) -> bool {
    let (Some(folder), Some(file)) = (store.local_path(folder), store.local_path(key)) else {
        return false;
    };
    file.starts_with(&folder)
        && file
            .ancestors()
            .skip(1)
            .take_while(|directory| *directory != folder)
            .any(Path::is_symlink)
}

/// True for a file that may be of the publication: files of Drover are read-only. A writable one is of a user, who made
/// it after the publication was cut off.
fn is_ours(store: &Store, key: &StoreKey) -> bool {
    let is_read_only = |metadata: Metadata| metadata.permissions().mode() & 0o222 == 0;
    store
        .local_path(key)
        .is_some_and(|path| path.symlink_metadata().is_ok_and(is_read_only))
}
