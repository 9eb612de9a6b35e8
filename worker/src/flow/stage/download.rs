//! Inputs in a bucket: downloaded before the command runs.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drover_shared::datum::{Cause, ContentTag, DatumInput, InputKind, TreeHash};
use drover_shared::store::{Entry, Store, StoreKey};
use futures::{StreamExt, TryStreamExt, future, stream};
use tokio::task::spawn_blocking;

use super::input::{changed, check_size, empty_directory, file_kind, key, target, unreadable};
use super::selection;
use crate::cache::{CachedInput, NodeCache};
use crate::context::WorkerContext;
use crate::flow::claimed::ClaimedDatum;
use crate::flow_error::{FlowError, InfrastructureError};
use crate::jobs::{InputLeaf, InputMode};
use crate::runner::{Mount, MountKind};
use crate::slots::Scratch;

/// The number of concurrent downloads of one input.
const SIDE_BY_SIDE: usize = 16;

/// The downloaded inputs of a datum, removed when dropped.
#[derive(Debug)]
pub(super) struct Downloads {
    directory: PathBuf,
    /// Files shown without content and not downloaded, by place.
    hidden: HashMap<PathBuf, HiddenFile>,
    /// Inputs in the cache of the machine.
    cached: Vec<CachedInput>,
    _scratch: Arc<Scratch>,
}

/// A file shown without content: store, key and listed version.
#[derive(Debug)]
struct HiddenFile {
    store: Store,
    key: StoreKey,
    listed: String,
}

/// A file to download, its path below the input, and its listed version.
struct ListedFile {
    key: StoreKey,
    below: String,
    listed: String,
}

impl Downloads {
    pub(super) fn new(claimed: &ClaimedDatum, context: &WorkerContext) -> Self {
        Self {
            directory: context.scratch.staging(&claimed.claim),
            hidden: HashMap::new(),
            cached: Vec::new(),
            _scratch: Arc::clone(&context.scratch),
        }
    }

    /// Downloads the `number`th input of the datum, or finds it in the `cache`.
    pub(super) async fn stage(
        &mut self,
        number: usize,
        input: &DatumInput,
        leaf: &InputLeaf,
        cache: &NodeCache,
    ) -> Result<Vec<Mount>, FlowError> {
        if let Some(identity) = identity(input, leaf) {
            let fill = |place: PathBuf| fill(input, leaf, place);
            if let Some(cached) = cache.get(&identity, input.size, fill).await? {
                let mount = whole(input, cached.path());
                self.cached.push(cached);
                return Ok(vec![mount]);
            }
        }
        let files = list(input, leaf).await?;
        let place = self.directory.join(number.to_string());
        let size = fetch_all(&files, leaf, &place).await?;
        if leaf.mode == InputMode::Empty {
            let hidden = files.iter().map(|file| {
                let hidden = HiddenFile {
                    store: leaf.store.clone(),
                    key: file.key.clone(),
                    listed: file.listed.clone(),
                };
                (local(file, &place), hidden)
            });
            self.hidden.extend(hidden);
        } else {
            check_size(input, size)?;
        }
        Ok(show(&files, input, leaf, &place))
    }

    /// Downloads hidden files, given by their places.
    pub(super) async fn fetch_hidden(&self, places: &BTreeSet<PathBuf>) -> Result<(), FlowError> {
        let mut fetches = Vec::with_capacity(places.len());
        for place in places {
            let file = &self.hidden[place];
            fetches.push(download(&file.store, &file.key, &file.listed, place));
        }
        stream::iter(fetches)
            .buffer_unordered(SIDE_BY_SIDE)
            .try_for_each(|_| future::ready(Ok(())))
            .await
    }
}

impl Drop for Downloads {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.directory)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!("cannot remove {}: {error}", self.directory.display());
        }
    }
}

/// The identity of a shared input in the cache of the machine: its place and its listed content. None for an input that is
/// not shared, not shown whole, or of unlisted content.
fn identity(input: &DatumInput, leaf: &InputLeaf) -> Option<String> {
    let is_told = input.kind == InputKind::File || is_tree(input);
    if !leaf.is_shared || leaf.mode != InputMode::Whole || !is_told {
        return None;
    }
    let key = key(input, leaf).ok()?;
    Some(format!("{}\n{key}\n{}", leaf.store.location(), input.tag))
}

/// Downloads a whole input to a place in the cache.
async fn fill(input: &DatumInput, leaf: &InputLeaf, place: PathBuf) -> Result<(), FlowError> {
    let files = list(input, leaf).await?;
    check_size(input, fetch_all(&files, leaf, &place).await?)
}

/// Downloads the files; returns the sum of their sizes.
async fn fetch_all(files: &[ListedFile], leaf: &InputLeaf, place: &Path) -> Result<u64, FlowError> {
    let mut fetches = Vec::with_capacity(files.len());
    for file in files {
        fetches.push(fetch(file, leaf, place));
    }
    let sizes: Vec<_> = stream::iter(fetches)
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect()
        .await?;
    Ok(sizes.into_iter().sum())
}

/// The files of an input.
async fn list(input: &DatumInput, leaf: &InputLeaf) -> Result<Vec<ListedFile>, FlowError> {
    let root = key(input, leaf)?;
    if input.kind == InputKind::File {
        return Ok(vec![ListedFile {
            key: root,
            below: String::new(),
            listed: input.tag.to_string(),
        }]);
    }
    let listed = {
        let (input, leaf) = (input.clone(), leaf.clone());
        spawn_blocking(move || selection::files(&input, &leaf)).await
    };
    let listed = listed.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    let paths = listed.iter().map(|entry| entry.path.as_str());
    if let Some((object, below)) = file_and_folder(paths) {
        return Err(FlowError::Datum(Cause::Input {
            message: format!(
                "{root}{object} is an object and also the folder of {root}{below}, which no directory can hold; rename or exclude one of them"
            ),
        }));
    }
    check_tag(input, &listed)?;
    let files = listed.into_iter().map(|entry| {
        let key = root
            .join(entry.path.trim_start_matches('/'))
            .map_err(unreadable)?;
        Ok(ListedFile {
            key,
            below: entry.path,
            listed: entry.version,
        })
    });
    files.collect()
}

/// True if the tag of a directory is a hash over its files.
fn is_tree(input: &DatumInput) -> bool {
    input.tag.as_str().starts_with("tree:")
}

/// Fails the datum if the objects of the directory differ from the listing. A tag of another form proves nothing.
fn check_tag(input: &DatumInput, listed: &[Entry]) -> Result<(), FlowError> {
    if !is_tree(input) {
        return Ok(());
    }
    let mut tree = TreeHash::default();
    for entry in listed {
        let tag = ContentTag::new(entry.version.as_str());
        tree.add(&entry.path, entry.size, &tag, &entry.version);
    }
    check_size(input, tree.size())?;
    if tree.tag() == input.tag {
        Ok(())
    } else {
        Err(changed(input))
    }
}

/// A path that is a folder of a second path, with the second path. `paths` are in byte order.
fn file_and_folder<'p>(paths: impl Iterator<Item = &'p str>) -> Option<(&'p str, &'p str)> {
    // Prefixes of the current path, shortest first; no other path can be its folder.
    let mut beginnings: Vec<&str> = Vec::new();
    for path in paths {
        while beginnings
            .pop_if(|begin| !path.starts_with(*begin))
            .is_some()
        {}
        let folder = beginnings
            .iter()
            .find(|begin| path[begin.len()..].starts_with('/'));
        if let Some(folder) = folder {
            return Some((folder, path));
        }
        beginnings.push(path);
    }
    None
}

/// The place of a downloaded file: a directory input keeps its structure.
fn local(file: &ListedFile, place: &Path) -> PathBuf {
    match file.below.trim_start_matches('/') {
        "" => place.to_owned(),
        below => place.join(below),
    }
}

/// Downloads one file; returns its size.
async fn fetch(file: &ListedFile, leaf: &InputLeaf, place: &Path) -> Result<u64, FlowError> {
    if leaf.mode == InputMode::Empty {
        return Ok(0);
    }
    let to = local(file, place);
    download(&leaf.store, &file.key, &file.listed, &to).await
}

async fn download(
    store: &Store,
    key: &StoreKey,
    listed: &str,
    to: &Path,
) -> Result<u64, FlowError> {
    if let Some(parent) = to.parent() {
        let made = tokio::fs::create_dir_all(parent).await;
        made.map_err(InfrastructureError::scratch(parent))?;
    }
    let downloaded = store.download_listed(key, listed, to).await;
    downloaded.map_err(unreadable)
}

/// The mount of an input that lies at `place` as it is.
fn whole(input: &DatumInput, place: &Path) -> Mount {
    let kind = match input.kind {
        InputKind::File => MountKind::File,
        InputKind::Dir => MountKind::Dir,
    };
    Mount {
        source: place.to_owned(),
        target: target(input, ""),
        kind,
    }
}

fn show(files: &[ListedFile], input: &DatumInput, leaf: &InputLeaf, place: &Path) -> Vec<Mount> {
    if input.kind == InputKind::Dir && files.is_empty() {
        return vec![empty_directory(input)];
    }
    if input.kind == InputKind::Dir && leaf.mode == InputMode::Whole {
        return vec![whole(input, place)];
    }
    let mounts = files.iter().map(|file| Mount {
        source: local(file, place),
        target: target(input, &file.below),
        kind: file_kind(leaf.mode),
    });
    mounts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_is_also_a_folder_is_found() {
        type Row = (
            &'static [&'static str],
            Option<(&'static str, &'static str)>,
        );
        let rows: [Row; 5] = [
            (&[], None),
            (&["/a", "/a.b", "/a0", "/b/c"], None),
            (&["/a", "/a-", "/a.b", "/a/b"], Some(("/a", "/a/b"))),
            (&["/a", "/ab", "/ab/c"], Some(("/ab", "/ab/c"))),
            (
                &["/a", "/ab", "/abc", "/b/c", "/b/c/d"],
                Some(("/b/c", "/b/c/d")),
            ),
        ];
        for (paths, expected) in rows {
            assert_eq!(
                file_and_folder(paths.iter().copied()),
                expected,
                "{paths:?}"
            );
        }
    }
}
