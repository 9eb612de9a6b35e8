//! The walk over a bucket, from a sorted listing.

use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::ObjectMeta;
use tokio::runtime::Handle;

use super::error::failed;
use super::names::to_key;
use super::objects::entry;
use crate::store::{Entry, StoreError, StoreKey, layout};

/// All objects below a prefix, in the order of the listing: byte order of keys.
pub(in crate::store) struct BucketWalk {
    listing: BoxStream<'static, object_store::Result<ObjectMeta>>,
    prefix: StoreKey,
    runtime: Handle,
    /// Directory of the last entry, and whether the directory was included.
    directory: Option<(String, bool)>,
    last: String,
}

impl BucketWalk {
    pub(super) fn new(
        listing: BoxStream<'static, object_store::Result<ObjectMeta>>,
        prefix: StoreKey,
        runtime: Handle,
    ) -> Self {
        Self {
            listing,
            prefix,
            runtime,
            directory: None,
            last: String::new(),
        }
    }

    /// The next object in included directories. Blocks.
    pub(in crate::store) fn advance(
        &mut self,
        included: &dyn Fn(&str) -> bool,
    ) -> Option<Result<Entry, StoreError>> {
        loop {
            let meta = match self.runtime.block_on(self.listing.next())? {
                Ok(meta) => meta,
                Err(error) => return Some(Err(failed(&self.prefix, error))),
            };
            if let Some(found) = self.look_at(&meta, included).transpose() {
                return Some(found);
            }
        }
    }

    fn look_at(
        &mut self,
        meta: &ObjectMeta,
        included: &dyn Fn(&str) -> bool,
    ) -> Result<Option<Entry>, StoreError> {
        if self.last.as_str() > meta.location.as_ref() {
            return Err(StoreError::Unavailable {
                key: self.prefix.clone(),
                source: "the bucket does not list keys in byte order; use a server that does"
                    .into(),
            });
        }
        meta.location.as_ref().clone_into(&mut self.last);
        let key = to_key(&meta.location)?;
        let path = &key.as_str()[self.prefix.as_str().len()..];
        let path = path.strip_prefix('/').unwrap_or(path);
        // The prefix itself is a folder marker made by a console; Drover's own folder is no input.
        let skipped = path.is_empty() || path.split('/').next() == Some(layout::DROVER_FOLDER);
        if skipped || !self.is_included(path, included) {
            return Ok(None);
        }
        Ok(Some(entry(meta, format!("/{path}"))))
    }

    /// True if all directories above `path` are included.
    fn is_included(&mut self, path: &str, included: &dyn Fn(&str) -> bool) -> bool {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        if let Some((known, verdict)) = &self.directory
            && known == directory
        {
            return *verdict;
        }
        let mut above = directory
            .match_indices('/')
            .map(|(at, _)| &directory[..at])
            .chain([directory]);
        let verdict = directory.is_empty() || above.all(|each| included(&format!("/{each}")));
        self.directory = Some((directory.to_owned(), verdict));
        verdict
    }
}
