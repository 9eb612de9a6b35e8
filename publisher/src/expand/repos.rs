//! The repos that a pipeline reads, as listings.

use std::collections::HashMap;

use drover_shared::pipeline::{PfsInput, Pipeline};
use drover_shared::store::{Repos, Store, StoreKey};

use super::{ExpandError, Listing, Listings, Wanted};

/// The repos that a pipeline reads, opened.
#[derive(Clone, Debug)]
pub struct StoreListings {
    leaves: HashMap<u16, (Store, StoreKey)>,
}

impl StoreListings {
    /// Opens the repos of a pipeline: folders of `store`, or other places.
    pub async fn open(pipeline: &Pipeline, store: &Store) -> Result<Self, ExpandError> {
        let repos = Repos::new(store.clone());
        let mut leaves = HashMap::new();
        for leaf in pipeline.input.leaves() {
            let found = repos.find(&leaf.repo, leaf.url.as_deref()).await;
            let found = found.map_err(|source| ExpandError::List { input: leaf.name.clone(), source })?;
            leaves.insert(leaf.leaf, found);
        }
        Ok(Self { leaves })
    }
}

impl Listings for StoreListings {
    fn list(&self, leaf: &PfsInput, wanted: Wanted) -> Result<Box<dyn Listing>, ExpandError> {
        let (store, folder) = &self.leaves[&leaf.leaf];
        let walk = store.walk(folder).map_err(|source| ExpandError::List { input: leaf.name.clone(), source })?;
        Ok(Box::new(walk.pruned(wanted)))
    }
}
