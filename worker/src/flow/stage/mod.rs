//! Stage: the inputs of a datum, on this machine, unchanged since they were listed.
//!
//! Those of a folder are shown where they lie; those of a bucket are downloaded first.

mod download;
mod folder;
mod selection;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use drover_shared::datum::{Cause, DatumInput};
use drover_shared::store::{StoreError, StoreKey};

use super::failure::chain;
use super::{Claimed, Failure, Trouble};
use crate::job::{Leaf, Shown};
use crate::runner::{Mount, MountKind};
use crate::tools::Tools;
use download::Downloads;

/// A datum whose inputs are on this machine.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) claimed: Claimed,
    pub(super) mounts: Vec<Mount>,
    pub(super) bytes: u64,
    pub(super) time: Duration,
    /// Removes what was downloaded, in the end.
    _downloads: Option<Downloads>,
}

/// Makes the inputs ready to be shown.
pub(super) async fn stage(claimed: &Claimed, tools: &Tools) -> Result<Staged, Failure> {
    let begun = Instant::now();
    let mut downloads = None;
    let mut mounts = Vec::with_capacity(claimed.datum.inputs.len());
    for (number, input) in claimed.datum.inputs.iter().enumerate() {
        let leaf = claimed.job.leaf(input).ok_or_else(|| foreign(input))?;
        if leaf.store.local_root().is_some() {
            mounts.extend(folder::stage(input, leaf).await?);
        } else {
            let downloads = downloads.get_or_insert_with(|| Downloads::new(claimed, tools));
            mounts.extend(downloads.stage(number, input, leaf).await?);
        }
    }
    Ok(Staged {
        claimed: claimed.clone(),
        mounts,
        bytes: claimed.datum.inputs.iter().map(|input| input.size).sum(),
        time: begun.elapsed(),
        _downloads: downloads,
    })
}

/// A datum that cannot be of this job.
fn foreign(input: &DatumInput) -> Failure {
    let message = format!(
        "input {:?} is not one of the job's spec; run the pipeline again",
        input.name
    );
    Failure::Datum(Cause::Input { message })
}

/// Where an input lies in its store.
fn key(input: &DatumInput, leaf: &Leaf) -> Result<StoreKey, Failure> {
    let path = input.path.trim_start_matches('/');
    let key = match path {
        "" => Ok(leaf.folder.clone()),
        path => leaf.folder.join(path),
    };
    key.map_err(|error| {
        Failure::Datum(Cause::Input {
            message: chain(&error),
        })
    })
}

/// Where an input, or the file `below` it, is shown, relative to `/pfs`.
fn target(input: &DatumInput, below: &str) -> PathBuf {
    let path = format!("{}{below}", input.path.trim_end_matches('/'));
    Path::new(&input.name).join(path.trim_start_matches('/'))
}

/// How single files of a leaf are shown.
fn file_kind(shown: Shown) -> MountKind {
    match shown {
        Shown::Whole => MountKind::File,
        Shown::Lazily => MountKind::Fifo,
        Shown::Empty => MountKind::Empty,
    }
}

/// The datum is at fault if its input is gone or was never fit to be one; a store that fails is not its fault.
fn unreadable(error: StoreError) -> Failure {
    match error {
        StoreError::Missing { key } => Failure::Datum(Cause::Input {
            message: format!("{key} vanished since the job listed it; run the pipeline again"),
        }),
        StoreError::Changed { key } => Failure::Datum(Cause::Input {
            message: format!("{key} changed since the job listed it; run the pipeline again"),
        }),
        StoreError::Denied { .. } | StoreError::Name { .. } | StoreError::Irregular { .. } => {
            Failure::Datum(Cause::Input {
                message: chain(&error),
            })
        }
        other => Failure::Trouble(Trouble::Store(other)),
    }
}

/// Fails a datum whose input is not the one it was made for.
fn check_size(input: &DatumInput, found: u64) -> Result<(), Failure> {
    if found == input.size {
        return Ok(());
    }
    let message = format!(
        "{}{} changed since the job listed it: it had {} bytes and has {found}; run the pipeline again",
        input.repo, input.path, input.size,
    );
    Err(Failure::Datum(Cause::Input { message }))
}
