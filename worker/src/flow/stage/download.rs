//! Inputs in a bucket: downloaded side by side before they are shown.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drover_shared::datum::{DatumInput, InputKind};
use drover_shared::store::StoreKey;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::task::spawn_blocking;

use super::input::{check_size, file_kind, key, target, unreadable};
use super::selection;
use crate::context::Tools;
use crate::failure::{Failure, Trouble};
use crate::flow::claimed::Claimed;
use crate::jobs::{Leaf, Shown};
use crate::runner::{Mount, MountKind};
use crate::slots::Scratch;

/// Downloads of one input at the same time.
const SIDE_BY_SIDE: usize = 16;

/// The downloaded inputs of a datum, removed when dropped.
#[derive(Debug)]
pub(super) struct Downloads {
    directory: PathBuf,
    _scratch: Arc<Scratch>,
}

/// A file to fetch, its path below the input, and what the listing told of its content.
struct Wanted {
    key: StoreKey,
    below: String,
    listed: String,
}

impl Downloads {
    pub(super) fn new(claimed: &Claimed, tools: &Tools) -> Self {
        Self {
            directory: tools.scratch.staging(&claimed.claim),
            _scratch: Arc::clone(&tools.scratch),
        }
    }

    /// Fetches the `number`th input of the datum and says how to show it.
    pub(super) async fn stage(
        &self,
        number: usize,
        input: &DatumInput,
        leaf: &Leaf,
    ) -> Result<Vec<Mount>, Failure> {
        let wanted = wanted(input, leaf).await?;
        let place = self.directory.join(number.to_string());
        let mut fetches = Vec::with_capacity(wanted.len());
        for wanted in &wanted {
            fetches.push(fetch(wanted, leaf, &place));
        }
        let sizes: Vec<_> = stream::iter(fetches)
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect()
            .await?;
        if leaf.shown != Shown::Empty {
            check_size(input, sizes.into_iter().sum())?;
        }
        Ok(show(&wanted, input, leaf, &place))
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

/// The files of an input.
async fn wanted(input: &DatumInput, leaf: &Leaf) -> Result<Vec<Wanted>, Failure> {
    let root = key(input, leaf)?;
    if input.kind == InputKind::File {
        return Ok(vec![Wanted {
            key: root,
            below: String::new(),
            listed: input.tag.to_string(),
        }]);
    }
    let (input, leaf) = (input.clone(), leaf.clone());
    let listed = spawn_blocking(move || selection::files(&input, &leaf)).await;
    let listed = listed.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    let wanted = listed.into_iter().map(|entry| {
        let key = root
            .join(entry.path.trim_start_matches('/'))
            .map_err(unreadable)?;
        Ok(Wanted {
            key,
            below: entry.path,
            listed: entry.version,
        })
    });
    wanted.collect()
}

/// Where a file of an input lies once it is fetched: a directory input keeps its shape.
fn local(wanted: &Wanted, place: &Path) -> PathBuf {
    match wanted.below.trim_start_matches('/') {
        "" => place.to_owned(),
        below => place.join(below),
    }
}

/// Fetches one file; its size.
async fn fetch(wanted: &Wanted, leaf: &Leaf, place: &Path) -> Result<u64, Failure> {
    if leaf.shown == Shown::Empty {
        return Ok(0);
    }
    let to = local(wanted, place);
    if let Some(parent) = to.parent() {
        let made = tokio::fs::create_dir_all(parent).await;
        made.map_err(Trouble::scratch(parent))?;
    }
    leaf.store
        .download_listed(&wanted.key, &wanted.listed, &to)
        .await
        .map_err(unreadable)
}

fn show(wanted: &[Wanted], input: &DatumInput, leaf: &Leaf, place: &Path) -> Vec<Mount> {
    if input.kind == InputKind::Dir && leaf.shown == Shown::Whole && !wanted.is_empty() {
        let (source, target) = (place.to_owned(), target(input, ""));
        return vec![Mount {
            source,
            target,
            kind: MountKind::Dir,
        }];
    }
    let mounts = wanted.iter().map(|wanted| Mount {
        source: local(wanted, place),
        target: target(input, &wanted.below),
        kind: file_kind(leaf.shown),
    });
    mounts.collect()
}
