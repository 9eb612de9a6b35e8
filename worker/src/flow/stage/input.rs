//! An input: the key in the store, the place below `/pfs`, and the check for changes.

use std::path::{Path, PathBuf};

use drover_shared::causes::with_causes;
use drover_shared::datum::{Cause, DatumInput};
use drover_shared::store::{StoreError, StoreKey};

use crate::flow_error::{FlowError, InfrastructureError};
use crate::jobs::{InputLeaf, InputMode};
use crate::runner::{Mount, MountKind};

/// The key of an input in its store.
pub(super) fn key(input: &DatumInput, leaf: &InputLeaf) -> Result<StoreKey, FlowError> {
    let path = input.path.trim_start_matches('/');
    let key = match path {
        "" => Ok(leaf.folder.clone()),
        path => leaf.folder.join(path),
    };
    key.map_err(|error| {
        FlowError::Datum(Cause::Input {
            message: with_causes(&error),
        })
    })
}

/// The place of an input, or of the file `below` it, relative to `/pfs`.
pub(super) fn target(input: &DatumInput, below: &str) -> PathBuf {
    let path = format!("{}{below}", input.path.trim_end_matches('/'));
    Path::new(&input.name).join(path.trim_start_matches('/'))
}

/// The place of a directory without files.
pub(super) fn empty_directory(input: &DatumInput) -> Mount {
    Mount {
        source: PathBuf::new(),
        target: target(input, ""),
        kind: MountKind::EmptyDir,
    }
}

/// The kind of mount for single files.
pub(super) fn file_kind(mode: InputMode) -> MountKind {
    match mode {
        InputMode::Whole => MountKind::File,
        InputMode::Lazily => MountKind::Fifo,
        InputMode::Empty => MountKind::Empty,
    }
}

/// Fails the datum if its input is missing, changed or unusable; other errors of the store are not the datum's fault.
pub(super) fn unreadable(error: StoreError) -> FlowError {
    match error {
        StoreError::Missing { key } => FlowError::Datum(Cause::Input {
            message: format!("{key} vanished since the job listed it; run the pipeline again"),
        }),
        StoreError::Changed { key } => FlowError::Datum(Cause::Input {
            message: format!("{key} changed since the job listed it; run the pipeline again"),
        }),
        StoreError::Denied { .. } | StoreError::Name { .. } | StoreError::Irregular { .. } => {
            FlowError::Datum(Cause::Input {
                message: with_causes(&error),
            })
        }
        other => FlowError::Infrastructure(InfrastructureError::Store(other)),
    }
}

/// Fails the datum if the size of its input is not the listed one.
pub(super) fn check_size(input: &DatumInput, found: u64) -> Result<(), FlowError> {
    if found == input.size {
        return Ok(());
    }
    let message = format!(
        "{}{} changed since the job listed it: it had {} bytes and has {found}; run the pipeline again",
        input.repo, input.path, input.size,
    );
    Err(FlowError::Datum(Cause::Input { message }))
}

/// The failure of a datum whose input differs from the listing.
pub(super) fn changed(input: &DatumInput) -> FlowError {
    let message = format!(
        "{}{} changed since the job listed it; run the pipeline again",
        input.repo, input.path,
    );
    FlowError::Datum(Cause::Input { message })
}
