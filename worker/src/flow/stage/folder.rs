//! Inputs in a folder of the local machine: shown where they lie, without a copy.

use std::sync::Arc;

use drover_shared::datum::{DatumInput, InputKind, TreeHash, short_version};
use drover_shared::store::{FileAttributes, StoreKey, file_version};
use tokio::task::spawn_blocking;

use super::folder_file::{local_path, resolve, unreadable};
use super::input::{changed, check_size, empty_directory, file_kind, key, target};
use super::input_state::{InputState, ShownFiles};
use super::plain_directory::PlainDirectory;
use super::{content, input, selection};
use crate::flow_error::FlowError;
use crate::jobs::{InputLeaf, InputMode};
use crate::runner::{Mount, MountKind};

/// Checks that the input is unchanged; returns the mounts and the state of the files.
pub(super) async fn stage(
    input: &DatumInput,
    leaf: &InputLeaf,
) -> Result<(Vec<Mount>, InputState), FlowError> {
    let (mounts, files) = match input.kind {
        // A `stat` costs less than the hand-over to another thread.
        InputKind::File if is_listed(input, leaf)? => file(input, leaf)?,
        kind => {
            let (input, leaf) = (input.clone(), leaf.clone());
            let staged = spawn_blocking(move || match kind {
                InputKind::File => {
                    check_content(&input, &leaf)?;
                    file(&input, &leaf)
                }
                InputKind::Dir => directory(&input, &leaf),
            });
            let staged = staged.await;
            staged.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?
        }
    };
    let state = InputState {
        input: Arc::new(input.clone()),
        leaf: leaf.clone(),
        files,
    };
    Ok((mounts, state))
}

/// True if the file looks as in the listing. A listing of an older version tells nothing but the size.
fn is_listed(input: &DatumInput, leaf: &InputLeaf) -> Result<bool, FlowError> {
    let (_, metadata) = resolve(leaf, &key(input, leaf)?)?;
    check_size(input, metadata.len())?;
    let version = input.version.as_deref();
    Ok(version.is_none_or(|listed| listed == short_version(&file_version(&metadata))))
}

/// Fails the datum if the content of its input is not the listed one. Reads the input.
fn check_content(input: &DatumInput, leaf: &InputLeaf) -> Result<(), FlowError> {
    if content::tag(input, leaf)? == input.tag {
        Ok(())
    } else {
        Err(changed(input))
    }
}

fn file(input: &DatumInput, leaf: &InputLeaf) -> Result<(Vec<Mount>, ShownFiles), FlowError> {
    let (source, metadata) = resolve(leaf, &key(input, leaf)?)?;
    let files = ShownFiles::Each(vec![(source.clone(), FileAttributes::of(&metadata))]);
    let mount = Mount {
        source,
        target: target(input, ""),
        kind: file_kind(leaf.mode),
    };
    Ok((vec![mount], files))
}

/// One mount for the whole directory if it contains exactly the listed files; else one mount a file, for example with
/// `exclude`, links, `lazy` or `empty_files`.
fn directory(input: &DatumInput, leaf: &InputLeaf) -> Result<(Vec<Mount>, ShownFiles), FlowError> {
    let key = key(input, leaf)?;
    if leaf.mode == InputMode::Whole
        && leaf.exclude.is_empty()
        && let Some(shown) = whole_directory(input, leaf, &key)?
    {
        return Ok(shown);
    }
    file_by_file(input, leaf, &key)
}

/// A directory of plain files with the listed content; none for any other.
fn whole_directory(
    input: &DatumInput,
    leaf: &InputLeaf,
    key: &StoreKey,
) -> Result<Option<(Vec<Mount>, ShownFiles)>, FlowError> {
    let failed = |error| unreadable(key, error);
    let path = local_path(leaf, key);
    let Some(listed) = PlainDirectory::list(&path).map_err(failed)? else {
        return Ok(None);
    };
    let hash = listed.hash();
    if hash.size() != input.size {
        return Ok(None);
    }
    check_version(input, leaf, &hash)?;
    let (root, files) = listed.state();
    let source = path.canonicalize().map_err(failed)?;
    let files = ShownFiles::Directory {
        path: source.clone(),
        root,
        files,
    };
    let mount = Mount {
        source,
        target: target(input, ""),
        kind: MountKind::Dir,
    };
    Ok(Some((vec![mount], files)))
}

fn file_by_file(
    input: &DatumInput,
    leaf: &InputLeaf,
    key: &StoreKey,
) -> Result<(Vec<Mount>, ShownFiles), FlowError> {
    let mut mounts = Vec::new();
    let mut files = Vec::new();
    let mut hash = TreeHash::default();
    for entry in selection::files(input, leaf)? {
        let file = key
            .join(entry.path.trim_start_matches('/'))
            .map_err(input::unreadable)?;
        let (source, metadata) = resolve(leaf, &file)?;
        hash.add_version(&entry.path, metadata.len(), &file_version(&metadata));
        files.push((source.clone(), FileAttributes::of(&metadata)));
        mounts.push(Mount {
            source,
            target: target(input, &entry.path),
            kind: file_kind(leaf.mode),
        });
    }
    check_size(input, hash.size())?;
    check_version(input, leaf, &hash)?;
    if mounts.is_empty() {
        mounts.push(empty_directory(input));
    }
    Ok((mounts, ShownFiles::Each(files)))
}

/// Fails the datum if the directory neither looks as in the listing nor has the listed content.
fn check_version(input: &DatumInput, leaf: &InputLeaf, hash: &TreeHash) -> Result<(), FlowError> {
    match &input.version {
        Some(listed) if *listed != hash.version() => check_content(input, leaf),
        _ => Ok(()),
    }
}
