//! Locations of the repos that a pipeline reads.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::{Location, Store, StoreError, StoreKey, layout};

/// Locations remembered; beyond this number all are forgotten, and opened again.
const REMEMBERED: usize = 256;

/// Finds repos: folders of the store, or other locations, each opened once. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Repos {
    store: Store,
    elsewhere: Arc<Mutex<HashMap<String, Store>>>,
}

impl Repos {
    /// The repos of `store` and of other locations.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            elsewhere: Arc::default(),
        }
    }

    /// The store and folder of `repo`: `<store>/<repo>`, or the whole location at `url`.
    pub async fn find(
        &self,
        repo: &str,
        url: Option<&str>,
    ) -> Result<(Store, StoreKey), StoreError> {
        match url {
            Some(url) => Ok((self.open(url).await?, StoreKey::root())),
            None if repo == layout::DROVER_FOLDER => Err(StoreError::Name {
                name: repo.to_owned(),
                problem: "it is Drover's own folder, not a repo",
            }),
            None => Ok((self.store.clone(), StoreKey::root().join(repo)?)),
        }
    }

    async fn open(&self, url: &str) -> Result<Store, StoreError> {
        let mut elsewhere = self.elsewhere.lock().await;
        if let Some(store) = elsewhere.get(url) {
            return Ok(store.clone());
        }
        let base = std::env::current_dir().unwrap_or_else(|_| Path::new("/").to_owned());
        let opened = Store::open(&Location::parse(url, &base)?).await?;
        let opened = opened.with_cache_of(&self.store);
        if elsewhere.len() >= REMEMBERED {
            elsewhere.clear();
        }
        elsewhere.insert(url.to_owned(), opened.clone());
        Ok(opened)
    }
}
