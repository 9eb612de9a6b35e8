//! Upload: moves the output files into the store, under keys that no reader looks at before the commit.

use std::time::{Duration, Instant};

use drover_shared::causes::with_causes;
use drover_shared::datum::{Cause, Output, ResourceUsage};
use drover_shared::store::{Entry, Store, StoreError, StoreKey, layout};

use super::claimed::ClaimedDatum;
use super::collect::CollectedOutput;
use super::execute::{DatumOutcome, ExecutedDatum};
use crate::context::WorkerContext;
use crate::flow_error::FlowError;

/// How much of a long path a message shows.
const SHOWN_CHARS: usize = 100;

/// A datum whose output files are in the store.
#[derive(Debug)]
pub(super) struct UploadedDatum {
    pub(super) outcome: DatumOutcome<Vec<Output>>,
    pub(super) attempts: u32,
    pub(super) download_bytes: u64,
    pub(super) download_time: Duration,
    pub(super) process_time: Duration,
    pub(super) upload_time: Duration,
    pub(super) usage: Option<ResourceUsage>,
}

/// Moves the collected files into the store.
pub(super) async fn upload(
    executed: ExecutedDatum,
    claimed: &ClaimedDatum,
    context: &WorkerContext,
) -> Result<UploadedDatum, FlowError> {
    let begun = Instant::now();
    let outcome = match executed.outcome {
        DatumOutcome::Success(collected) => {
            let keys = staged(claimed, collected.files().len());
            let files: Vec<_> = collected
                .files()
                .iter()
                .cloned()
                .zip(keys.clone())
                .collect();
            let store = context.ledger.store();
            let refusal = unpublishable(collected.outputs(), claimed, store);
            let adopted = if files.is_empty() || refusal.is_some() {
                Ok(Vec::new())
            } else {
                store.adopt_each(files).await
            };
            match adopted {
                Ok(_) if let Some(cause) = refusal => DatumOutcome::Failed(cause),
                Ok(entries) => DatumOutcome::Success(with_versions(collected, entries)),
                Err(error) => {
                    delete_staged(keys, context).await;
                    DatumOutcome::Failed(refused_by_store(error)?)
                }
            }
        }
        DatumOutcome::Recovered(cause) => DatumOutcome::Recovered(cause),
        DatumOutcome::Failed(cause) => DatumOutcome::Failed(cause),
    };
    Ok(UploadedDatum {
        outcome,
        attempts: executed.attempts,
        download_bytes: executed.download_bytes,
        download_time: executed.download_time,
        process_time: executed.process_time,
        upload_time: begun.elapsed(),
        usage: executed.usage,
    })
}

/// The failure of a datum whose output has a path that does not fit the output folder. Found here, it fails its datum
/// alone; found by the publication, it would fail every job.
fn unpublishable(outputs: &[Output], claimed: &ClaimedDatum, store: &Store) -> Option<Cause> {
    let folder = layout::output(&claimed.job.pipeline.name);
    outputs.iter().find_map(|output| {
        let key = folder.join(&output.path).ok()?;
        let problem = store.problem_with(&key)?;
        let beginning: String = output.path.chars().take(SHOWN_CHARS).collect();
        let message = format!("output {beginning}…: {problem}; write a shorter path");
        Some(Cause::Output { message })
    })
}

/// The outputs, with the versions of the stored files where the store returns them.
fn with_versions(collected: CollectedOutput, entries: Vec<Entry>) -> Vec<Output> {
    let mut outputs = collected.into_outputs();
    for (output, entry) in outputs.iter_mut().zip(entries) {
        output.version = Some(entry.version);
    }
    outputs
}

/// The keys for the output files of a claim, in order.
pub(super) fn staged(claimed: &ClaimedDatum, count: usize) -> Vec<StoreKey> {
    (0..count)
        .map(|n| layout::staged_file(claimed.job.id, &claimed.claim, n))
        .collect()
}

/// Removes staged files without a verdict. A file that cannot be removed only takes space.
pub(super) async fn delete_staged(keys: Vec<StoreKey>, context: &WorkerContext) {
    if let Err(error) = context.ledger.store().delete_each(keys).await {
        tracing::warn!("staged files of a lost claim cannot be removed: {error}");
    }
}

/// Fails the datum only if the store can never accept the files, for example because of their names.
fn refused_by_store(error: StoreError) -> Result<Cause, FlowError> {
    match error {
        StoreError::Name { .. } | StoreError::Irregular { .. } => Ok(Cause::Output {
            message: with_causes(&error),
        }),
        other => Err(other.into()),
    }
}
