//! Pages of long listings, from any name on: the interface of `object_store` for whole listings reads every page.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta};

/// A client that lists by pages. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pages {
    client: Arc<dyn PaginatedListStore>,
    /// The prefix of the store in the bucket.
    prefix: Path,
}

impl fmt::Debug for Pages {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Pages").field(&self.prefix).finish()
    }
}

impl Pages {
    pub(super) fn new(client: Arc<dyn PaginatedListStore>, prefix: Path) -> Self {
        Self { client, prefix }
    }

    /// One page of what lies directly below `folder`, from the name `after` on, and whether there is more. A page has at most
    /// `most` names, and as many as the server likes (1,000 as a rule) by default.
    pub(super) async fn page(
        &self,
        folder: &Path,
        after: &str,
        most: Option<usize>,
    ) -> object_store::Result<(ListResult, bool)> {
        let folder: Path = self.prefix.parts().chain(folder.parts()).collect();
        let prefix = match folder.as_ref() {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let options = PaginatedListOptions {
            offset: (!after.is_empty()).then(|| format!("{prefix}{after}")),
            delimiter: Some(Cow::Borrowed("/")),
            max_keys: most,
            ..PaginatedListOptions::default()
        };
        let prefix = (!prefix.is_empty()).then_some(prefix.as_str());
        let page = self.client.list_paginated(prefix, options).await?;
        Ok((self.without_prefix(page.result), page.page_token.is_some()))
    }

    fn without_prefix(&self, listed: ListResult) -> ListResult {
        let strip = |path: Path| -> Path {
            let parts = path.prefix_match(&self.prefix).map(Iterator::collect);
            parts.unwrap_or(path)
        };
        let object = |meta: ObjectMeta| ObjectMeta {
            location: strip(meta.location),
            ..meta
        };
        ListResult {
            common_prefixes: listed.common_prefixes.into_iter().map(strip).collect(),
            objects: listed.objects.into_iter().map(object).collect(),
            ..listed
        }
    }
}
