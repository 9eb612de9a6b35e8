//! Inputs in a folder of this machine: shown where they lie, without a copy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use drover_shared::datum::{Cause, DatumInput, InputKind};
use drover_shared::store::StoreKey;
use tokio::task::spawn_blocking;

use super::input::{check_size, file_kind, key, target};
use super::{input, selection};
use crate::flow_error::{FlowError, InfrastructureError};
use crate::jobs::{InputLeaf, InputMode};
use crate::runner::{Mount, MountKind};

/// Checks that the input is unchanged, and returns its mounts.
pub(super) async fn stage(input: &DatumInput, leaf: &InputLeaf) -> Result<Vec<Mount>, FlowError> {
    match input.kind {
        // A `stat` costs less than the hand-over to another thread.
        InputKind::File => Ok(vec![file(input, leaf)?]),
        InputKind::Dir => {
            let (input, leaf) = (input.clone(), leaf.clone());
            let staged = spawn_blocking(move || directory(&input, &leaf)).await;
            staged.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
        }
    }
}

fn file(input: &DatumInput, leaf: &InputLeaf) -> Result<Mount, FlowError> {
    let key = key(input, leaf)?;
    let (source, size) = resolve(leaf, &key)?;
    check_size(input, size)?;
    Ok(Mount {
        source,
        target: target(input, ""),
        kind: file_kind(leaf.mode),
    })
}

/// The file behind a key, with links followed, and its size in bytes.
fn resolve(leaf: &InputLeaf, key: &StoreKey) -> Result<(PathBuf, u64), FlowError> {
    let path = local_path(leaf, key);
    let looked = fs::symlink_metadata(&path).and_then(|metadata| {
        if !metadata.is_symlink() {
            return Ok((path.clone(), metadata));
        }
        let followed = inside(leaf, path.canonicalize()?)?;
        let metadata = fs::metadata(&followed)?;
        Ok((followed, metadata))
    });
    let (path, metadata) = looked.map_err(|error| unreadable(key, error))?;
    if !metadata.is_file() {
        return Err(fault(format!(
            "{key} is no longer a file; run the pipeline again"
        )));
    }
    Ok((path, metadata.len()))
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

/// One mount for the whole directory if it contains exactly the listed files; else one mount a file, for example with
/// `exclude`, links, `lazy` or `empty_files`.
fn directory(input: &DatumInput, leaf: &InputLeaf) -> Result<Vec<Mount>, FlowError> {
    let key = key(input, leaf)?;
    let path = local_path(leaf, &key);
    if leaf.mode == InputMode::Whole && leaf.exclude.is_empty() {
        let plain = plain_size(&path).map_err(|error| unreadable(&key, error))?;
        if plain == Some(input.size) {
            let source = path
                .canonicalize()
                .map_err(|error| unreadable(&key, error))?;
            let (target, kind) = (target(input, ""), MountKind::Dir);
            return Ok(vec![Mount {
                source,
                target,
                kind,
            }]);
        }
    }
    file_by_file(input, leaf, &key)
}

fn file_by_file(
    input: &DatumInput,
    leaf: &InputLeaf,
    key: &StoreKey,
) -> Result<Vec<Mount>, FlowError> {
    let mut mounts = Vec::new();
    let mut total = 0;
    for entry in selection::files(input, leaf)? {
        let file = key
            .join(entry.path.trim_start_matches('/'))
            .map_err(input::unreadable)?;
        let (source, size) = resolve(leaf, &file)?;
        total += size;
        let (target, kind) = (target(input, &entry.path), file_kind(leaf.mode));
        mounts.push(Mount {
            source,
            target,
            kind,
        });
    }
    check_size(input, total)?;
    Ok(mounts)
}

/// The size of all files below a directory in bytes; none if it contains anything but files and directories.
fn plain_size(directory: &Path) -> io::Result<Option<u64>> {
    let mut total = 0;
    let mut pending = vec![directory.canonicalize()?];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                pending.push(entry.path());
            } else if kind.is_file() {
                total += entry.metadata()?.len();
            } else {
                return Ok(None);
            }
        }
    }
    Ok(Some(total))
}

fn local_path(leaf: &InputLeaf, key: &StoreKey) -> PathBuf {
    leaf.store
        .local_path(key)
        .expect("the leaf lies in a folder")
}

fn unreadable(key: &StoreKey, error: io::Error) -> FlowError {
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
