//! Trouble with the scratch directory that a failed attempt cannot be blamed for: the disk is full, or somebody has removed
//! files of the slot or the datum.

use std::io;
use std::path::{Path, PathBuf};

use crate::context::WorkerContext;
use crate::flow::stage::StagedDatum;
use crate::flow_error::{FlowError, InfrastructureError};
use crate::runner::{Mount, MountKind};
use crate::slots::SlotLease;

/// A disk with less free space counts as full.
const FULL_BYTES: u64 = 1 << 20;

/// Looks at the scratch directory after a failed attempt; an error means that the failure is the worker's. A disk that is
/// full only because of the attempt's own files is the attempt's fault. Returns true if the slot has a new runner.
pub(super) async fn check_scratch(
    lease: &mut SlotLease<'_>,
    staged: &StagedDatum,
    context: &WorkerContext,
) -> Result<bool, FlowError> {
    let runner = lease.runner().await.map_err(InfrastructureError::Runner)?;
    let slot = runner.directories();
    if let Some(path) = missing(&slot, &staged.mounts, context) {
        lease.discard();
        return Err(InfrastructureError::scratch(path)(
            io::ErrorKind::NotFound.into(),
        ));
    }
    let scratch = context.scratch.slots();
    if !is_full(&scratch) {
        return Ok(false);
    }
    // A new runner removes the files of the attempt.
    lease.discard();
    lease.runner().await.map_err(InfrastructureError::Runner)?;
    if is_full(&scratch) {
        return Err(InfrastructureError::scratch(scratch)(
            io::ErrorKind::StorageFull.into(),
        ));
    }
    Ok(true)
}

/// The first of the slot's directories and the downloaded inputs that does not exist.
fn missing(slot: &[PathBuf], mounts: &[Mount], context: &WorkerContext) -> Option<PathBuf> {
    let downloaded =
        |mount: &&Mount| mount.kind != MountKind::Empty && context.scratch.holds(&mount.source);
    let downloads = mounts.iter().filter(downloaded);
    let mut all = slot.iter().chain(downloads.map(|mount| &mount.source));
    all.find(|path| !path.exists()).cloned()
}

fn is_full(path: &Path) -> bool {
    rustix::fs::statvfs(path)
        .is_ok_and(|space| space.f_bavail.saturating_mul(space.f_frsize) < FULL_BYTES)
}
