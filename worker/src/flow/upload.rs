//! Upload: the output files go to the store, under names that nobody looks at before the commit.

use std::time::{Duration, Instant};

use drover_shared::datum::{Cause, Output};
use drover_shared::store::{StoreError, StoreKey, layout};

use super::claimed::Claimed;
use super::execute::{Executed, Outcome};
use crate::context::Tools;
use crate::failure::{Failure, chain};

/// A datum whose output, if it has any, is safe in the store.
#[derive(Debug)]
pub(super) struct Uploaded {
    pub(super) outcome: Outcome<Vec<Output>>,
    pub(super) attempts: u32,
    pub(super) download_bytes: u64,
    pub(super) download_time: Duration,
    pub(super) process_time: Duration,
    pub(super) upload_time: Duration,
}

/// Moves the collected files into the store.
pub(super) async fn upload(
    executed: Executed,
    claimed: &Claimed,
    tools: &Tools,
) -> Result<Uploaded, Failure> {
    let begun = Instant::now();
    let outcome = match executed.outcome {
        Outcome::Success(collected) => {
            let keys = staged(claimed, collected.files().len());
            let files: Vec<_> = collected
                .files()
                .iter()
                .cloned()
                .zip(keys.clone())
                .collect();
            let adopted = if files.is_empty() {
                Ok(())
            } else {
                tools.ledger.store().adopt_each(files).await
            };
            match adopted {
                Ok(()) => Outcome::Success(collected.into_outputs()),
                Err(error) => {
                    sweep(keys, tools).await;
                    Outcome::Failed(refused_by_store(error)?)
                }
            }
        }
        Outcome::Recovered(cause) => Outcome::Recovered(cause),
        Outcome::Failed(cause) => Outcome::Failed(cause),
    };
    Ok(Uploaded {
        outcome,
        attempts: executed.attempts,
        download_bytes: executed.download_bytes,
        download_time: executed.download_time,
        process_time: executed.process_time,
        upload_time: begun.elapsed(),
    })
}

/// The places for the output files of a claim, in order.
pub(super) fn staged(claimed: &Claimed, count: usize) -> Vec<StoreKey> {
    (0..count)
        .map(|n| layout::staged_file(claimed.job.id, &claimed.claim, n))
        .collect()
}

/// Removes staged files that no verdict speaks of. What cannot be removed does no harm but take space.
pub(super) async fn sweep(keys: Vec<StoreKey>, tools: &Tools) {
    if let Err(error) = tools.ledger.store().delete_each(keys).await {
        tracing::warn!("staged files of a lost claim cannot be removed: {error}");
    }
}

/// The datum is at fault only if the store cannot take what it wrote, ever.
fn refused_by_store(error: StoreError) -> Result<Cause, Failure> {
    match error {
        StoreError::Name { .. } | StoreError::Irregular { .. } => Ok(Cause::Output {
            message: chain(&error),
        }),
        other => Err(other.into()),
    }
}
