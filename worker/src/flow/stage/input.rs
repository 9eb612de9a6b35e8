//! One input: where it lies, where it is shown, and whether it is still what the job listed.

use std::path::{Path, PathBuf};

use drover_shared::datum::{Cause, DatumInput};
use drover_shared::store::{StoreError, StoreKey};

use crate::failure::{Failure, Trouble, chain};
use crate::jobs::{Leaf, Shown};
use crate::runner::MountKind;

/// Where an input lies in its store.
pub(super) fn key(input: &DatumInput, leaf: &Leaf) -> Result<StoreKey, Failure> {
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
pub(super) fn target(input: &DatumInput, below: &str) -> PathBuf {
    let path = format!("{}{below}", input.path.trim_end_matches('/'));
    Path::new(&input.name).join(path.trim_start_matches('/'))
}

/// How single files of a leaf are shown.
pub(super) fn file_kind(shown: Shown) -> MountKind {
    match shown {
        Shown::Whole => MountKind::File,
        Shown::Lazily => MountKind::Fifo,
        Shown::Empty => MountKind::Empty,
    }
}

/// The datum is at fault if its input is gone or was never fit to be one; a store that fails is not its fault.
pub(super) fn unreadable(error: StoreError) -> Failure {
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
pub(super) fn check_size(input: &DatumInput, found: u64) -> Result<(), Failure> {
    if found == input.size {
        return Ok(());
    }
    let message = format!(
        "{}{} changed since the job listed it: it had {} bytes and has {found}; run the pipeline again",
        input.repo, input.path, input.size,
    );
    Err(Failure::Datum(Cause::Input { message }))
}
