//! The file of the local machine behind a key of a folder.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use drover_shared::datum::Cause;
use drover_shared::store::StoreKey;

use crate::flow_error::{FlowError, InfrastructureError};
use crate::jobs::InputLeaf;

/// The file behind a key, with links followed, and its metadata. The path has no link in any place: a link may lead
/// through `/tmp`, which commands do not see.
pub(super) fn resolve(leaf: &InputLeaf, key: &StoreKey) -> Result<(PathBuf, Metadata), FlowError> {
    let path = local_path(leaf, key);
    let looked = path.canonicalize().and_then(|followed| {
        let followed = if followed == path {
            followed
        } else {
            inside(leaf, followed)?
        };
        let metadata = fs::metadata(&followed)?;
        Ok((followed, metadata))
    });
    let (path, metadata) = looked.map_err(|error| unreadable(key, error))?;
    if !metadata.is_file() {
        return Err(fault(format!(
            "{key} is no longer a file; run the pipeline again"
        )));
    }
    Ok((path, metadata))
}

/// Accepts a link target inside the store or the input's own folder only.
fn inside(leaf: &InputLeaf, followed: PathBuf) -> io::Result<PathBuf> {
    let root = leaf
        .store
        .local_root()
        .unwrap_or(Path::new("/"))
        .canonicalize()?;
    let folder = local_path(leaf, &leaf.folder).canonicalize()?;
    if followed.starts_with(root) || followed.starts_with(folder) {
        return Ok(followed);
    }
    Err(io::Error::other(
        "it is a link that leaves the store; copy the file in",
    ))
}

/// The path of a key.
pub(super) fn local_path(leaf: &InputLeaf, key: &StoreKey) -> PathBuf {
    leaf.store
        .local_path(key)
        .expect("the leaf lies in a folder")
}

/// The failure for an input that cannot be read.
pub(super) fn unreadable(key: &StoreKey, error: io::Error) -> FlowError {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    match error.kind() {
        NotFound | NotADirectory => fault(format!(
            "{key} vanished since the job listed it; run the pipeline again"
        )),
        PermissionDenied => fault(format!("{key} may not be read: {error}")),
        io::ErrorKind::Other => fault(format!("{key}: {error}")),
        _ => InfrastructureError::scratch(key.as_str())(error),
    }
}

fn fault(message: String) -> FlowError {
    FlowError::Datum(Cause::Input { message })
}
