//! Listings of repos in stores.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use drover_shared::datum::{CodeFile, ContentTag};
use drover_shared::id::PipelineName;
use drover_shared::pipeline::{PfsInput, Pipeline};
use drover_shared::store::{Entry, Repos, Store, StoreError, StoreKey, Walk, layout};
use tracing::warn;

use super::{ExpandError, Listing, Listings, Selection};
use crate::code::{self, CodeError};

/// The repos that a pipeline reads, opened.
#[derive(Clone, Debug)]
pub struct StoreListings {
    /// Store and key of the repo, by leaf.
    places: HashMap<u16, (Store, StoreKey)>,
    /// Leaves that read the output folder of a known pipeline, which is missing until the pipeline writes a file.
    outputs: HashSet<u16>,
    code: Vec<CodeFile>,
}

impl StoreListings {
    /// Opens the repos of all leaves: folders of `store`, or other locations. A missing folder is an error here, not
    /// at the first listing.
    pub async fn open(pipeline: &Pipeline, store: &Store) -> Result<Self, ExpandError> {
        let repos = Repos::new(store.clone());
        let mut places = HashMap::new();
        let mut outputs = HashSet::new();
        for leaf in pipeline.input.leaves() {
            let input = || leaf.name.clone();
            let place = repos
                .find(&leaf.repo, leaf.url.as_deref())
                .await
                .map_err(|source| ExpandError::List {
                    input: input(),
                    source,
                })?;
            if let Some(folder) = place.0.local_path(&place.1)
                && !is_directory(&folder).await
            {
                if is_output(leaf, store)
                    .await
                    .map_err(|source| ExpandError::List {
                        input: input(),
                        source,
                    })?
                {
                    outputs.insert(leaf.leaf);
                    places.insert(leaf.leaf, place);
                    continue;
                }
                return Err(ExpandError::NoRepo {
                    input: input(),
                    repo: leaf.repo.clone(),
                    folder,
                });
            }
            places.insert(leaf.leaf, place);
        }
        let code = code_files(pipeline, store).await?;
        Ok(Self {
            places,
            outputs,
            code,
        })
    }
}

async fn code_files(pipeline: &Pipeline, store: &Store) -> Result<Vec<CodeFile>, CodeError> {
    let current = std::env::current_dir().unwrap_or_else(|_| Path::new("/").to_owned());
    code::find(pipeline, &current, store).await
}

/// True if the leaf reads the output of a pipeline that has published once: its folder may be missing, and is empty then.
async fn is_output(leaf: &PfsInput, store: &Store) -> Result<bool, StoreError> {
    let pipeline: Result<PipelineName, _> = leaf.repo.parse();
    match (pipeline, &leaf.url) {
        (Ok(pipeline), None) => match store.entry(&layout::published(&pipeline)).await {
            Ok(_) => Ok(true),
            Err(StoreError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        },
        _ => Ok(false),
    }
}

/// True if `path` is a directory. Without permission the result is true, and the walk reports the error.
async fn is_directory(path: &Path) -> bool {
    match tokio::fs::metadata(path).await {
        Ok(metadata) => metadata.is_dir(),
        Err(error) => !matches!(
            error.kind(),
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
        ),
    }
}

impl Listings for StoreListings {
    fn code(&self) -> &[CodeFile] {
        &self.code
    }

    fn list(&self, leaf: &PfsInput, selection: &Selection) -> Result<Box<dyn Listing>, StoreError> {
        let (store, repo) = self
            .places
            .get(&leaf.leaf)
            .expect("every leaf of the pipeline was opened");
        let pruning = selection.clone();
        // Errors of the glob are reported by the stream when it reaches the path.
        // If the fixed part of the glob is no legal key, the walk starts at the repo.
        let within = repo.join(selection.directory());
        let within = within.unwrap_or_else(|_| repo.clone());
        let walk = match store.walk_within(repo, &within) {
            Err(StoreError::Missing { .. }) if self.outputs.contains(&leaf.leaf) => {
                return Ok(Box::new(EmptyListing));
            }
            walk => walk?,
        };
        let walk = walk.pruned(move |directory| pruning.reaches_below(directory).unwrap_or(true));
        Ok(Box::new(RepoListing {
            walk,
            selection: selection.clone(),
            repo: repo.clone(),
            if_empty: store.local_root().is_none().then(|| {
                format!(
                    "input {:?} is empty: nothing lies at {:?} of {}",
                    leaf.name,
                    within.as_str(),
                    store.location()
                )
            }),
        }))
    }
}

/// The listing of an output folder before its first file.
struct EmptyListing;

impl Listing for EmptyListing {
    fn tag(&mut self, entry: &Entry) -> Result<ContentTag, StoreError> {
        unreachable!("an empty listing has no entry {entry:?}")
    }
}

impl Iterator for EmptyListing {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}

/// A walk of a repo, without errors outside of the selection.
struct RepoListing {
    walk: Walk,
    selection: Selection,
    repo: StoreKey,
    /// Warning for an empty listing of a bucket, where the prefix may be mistyped.
    if_empty: Option<String>,
}

impl RepoListing {
    /// True if the error concerns an irregular file outside of the selection.
    fn is_elsewhere(&self, error: &StoreError) -> bool {
        let StoreError::Irregular { path, .. } = error else {
            return false;
        };
        let below = path.strip_prefix(self.repo.as_str()).unwrap_or(path);
        let path = format!("/{}", below.trim_start_matches('/'));
        let concerned = self
            .selection
            .concerns(&path)
            .and_then(|itself| Ok(itself || self.selection.reaches_below(&path)?));
        !concerned.unwrap_or(true)
    }
}

impl Listing for RepoListing {
    fn tag(&mut self, entry: &Entry) -> Result<ContentTag, StoreError> {
        self.walk.tag(entry)
    }
}

impl Iterator for RepoListing {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match (self.walk.next(), self.if_empty.take()) {
                (Some(Err(error)), _) if self.is_elsewhere(&error) => {}
                (None, Some(warning)) => warn!("{warning}"),
                (next, _) => return next,
            }
        }
    }
}
