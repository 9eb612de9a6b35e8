//! A folder of the store.

use drover_shared::store::{Store, StoreKey, layout};
use futures::{StreamExt, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::place::{check_folder, data_key};
use crate::resources::jobs::CONCURRENT_READS;
use crate::routing::body::Empty;
use crate::routing::error::Error;
use crate::routing::query::Bounded;
use crate::routing::route::ApiRequest;

/// A folder and a page of it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct FolderQuery {
    /// Path below the store; the store itself by default.
    #[serde(default)]
    path: String,
    /// Only names after this one.
    after: Option<String>,
    /// How many names, at most.
    #[serde(default)]
    limit: Bounded<200, 1000>,
}

/// Names of a folder, in byte order.
#[derive(JsonSchema, Serialize)]
pub(crate) struct FolderPage {
    entries: Vec<FolderEntry>,
    /// Value of `after` for the next page; null at the end.
    next: Option<String>,
    /// Number of names in the folder.
    total: u64,
}

/// A file or folder.
#[derive(JsonSchema, Serialize)]
struct FolderEntry {
    name: String,
    /// True for a folder.
    folder: bool,
    /// Size in bytes; null for a folder, and for a file that cannot be read.
    size: Option<u64>,
}

pub(crate) async fn list(
    ApiRequest { api, query, .. }: ApiRequest<Empty, FolderQuery>,
) -> Result<FolderPage, Error> {
    let store = api.ledger().store();
    let key = data_key(&query.path)?;
    let checked = {
        let (store, key) = (store.clone(), key.clone());
        spawn_blocking(move || check_folder(&store, &key)).await
    };
    checked.map_err(|error| Error::unavailable(error.to_string()))??;
    let mut names = store.names(&key).await?;
    let own = format!("{}/", layout::DROVER_FOLDER);
    names.retain(|name| !key.is_root() || *name != own);
    let total = names.len() as u64;
    let after = query.after.as_deref().unwrap_or_default();
    let from = names.partition_point(|name| name.as_str() <= after);
    let page = &names[from..names.len().min(from + query.limit.get())];
    let next = page.last().filter(|_| from + page.len() < names.len());
    let read = page
        .iter()
        .cloned()
        .map(|name| entry(store.clone(), key.clone(), name));
    Ok(FolderPage {
        next: next.cloned(),
        entries: stream::iter(read)
            .buffered(CONCURRENT_READS)
            .collect()
            .await,
        total,
    })
}

async fn entry(store: Store, folder: StoreKey, name: String) -> FolderEntry {
    if let Some(name) = name.strip_suffix('/') {
        return FolderEntry {
            name: name.to_owned(),
            folder: true,
            size: None,
        };
    }
    let size = match folder.join(&name) {
        Ok(key) => store.entry(&key).await.ok().map(|entry| entry.size),
        Err(_) => None,
    };
    FolderEntry {
        name,
        folder: false,
        size,
    }
}
