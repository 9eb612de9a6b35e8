//! The walk over a bucket, from a sorted listing.

use futures::StreamExt;
use futures::stream::{BoxStream, Fuse};
use object_store::ObjectMeta;
use tokio::runtime::Handle;

use super::error::failed;
use super::foreign_keys::decode;
use super::names::to_key;
use super::version;
use crate::store::{Entry, StoreError, StoreKey, layout};

/// Longest name of a file on Linux in bytes; a longer part of a key cannot be staged.
const LONGEST_NAME: usize = 255;

/// All objects below a prefix, in the order of the listing: byte order of keys.
pub(in crate::store) struct BucketWalk {
    /// Fused: `object_store` panics if a listing is polled after its end.
    listing: Fuse<BoxStream<'static, object_store::Result<ObjectMeta>>>,
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
            listing: listing.fuse(),
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
        if let Some(key) = decode(meta.location.as_ref()) {
            return self.look_at_foreign(meta, &key, included);
        }
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
        if path.split('/').any(|segment| segment.len() > LONGEST_NAME) {
            return Err(irregular(
                key.as_str(),
                "a part of its key is longer than 255 bytes, the limit for a file's name; rename or exclude the object",
            ));
        }
        Ok(Some(entry(meta, format!("/{path}"))))
    }

    /// An object whose key is no path: a folder marker, which has no content, or an error.
    fn look_at_foreign(
        &mut self,
        meta: &ObjectMeta,
        key: &str,
        included: &dyn Fn(&str) -> bool,
    ) -> Result<Option<Entry>, StoreError> {
        let path = key.strip_prefix(self.prefix.as_str()).unwrap_or(key);
        let path = path.strip_prefix('/').unwrap_or(path);
        let is_marker = meta.size == 0 && (path.is_empty() || path.ends_with('/'));
        let is_ours = path.split('/').next() == Some(layout::DROVER_FOLDER);
        if is_marker || is_ours || !self.is_included(path, included) {
            return Ok(None);
        }
        Err(irregular(
            key,
            "its key is no path of a file (an empty part, `.`, `..` or a control character); rename or exclude the object",
        ))
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

fn irregular(key: &str, problem: &'static str) -> StoreError {
    StoreError::Irregular {
        path: key.to_owned(),
        problem,
    }
}

/// The entry of an object from a listing or an answer.
pub(super) fn entry(meta: &ObjectMeta, path: String) -> Entry {
    Entry {
        path,
        size: meta.size,
        version: version::of(meta),
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use object_store::path::Path;

    use super::super::foreign_keys::encode;
    use super::*;

    fn meta((key, size): (&str, u64)) -> ObjectMeta {
        let path = encode(key).unwrap_or_else(|| key.to_owned());
        ObjectMeta {
            location: Path::parse(path).unwrap(),
            last_modified: "1970-01-01T00:00:00Z".parse().unwrap(),
            size,
            e_tag: None,
            version: None,
        }
    }

    /// Walks a listing of the keys and sizes below `in`, without the directory `/no`; returns paths, and errors as
    /// text.
    async fn walked(objects: &[(&str, u64)]) -> Vec<String> {
        let listed: Vec<_> = objects.iter().map(|each| Ok(meta(*each))).collect();
        // Like the listings of `object_store`, this stream panics if polled after its end.
        let listing = stream::unfold(listed.into_iter(), |mut rest| async {
            rest.next().map(|each| (each, rest))
        });
        let prefix = StoreKey::parse("in").unwrap();
        let mut walk = BucketWalk::new(listing.boxed(), prefix, Handle::current());
        let walk = move || {
            let mut found = vec![];
            while let Some(entry) = walk.advance(&|directory| directory != "/no") {
                found.push(entry.map_or_else(|error| format!("! {error}"), |entry| entry.path));
            }
            assert!(walk.advance(&|_| true).is_none(), "the walk has ended");
            found
        };
        tokio::task::spawn_blocking(walk).await.unwrap()
    }

    #[tokio::test]
    async fn an_empty_listing_ends_again_and_again() {
        assert_eq!(walked(&[]).await, [""; 0]);
    }

    #[tokio::test]
    async fn folder_markers_are_skipped_and_hide_nothing() {
        let objects = [
            ("in/", 0),
            ("in/2026-x", 1),
            ("in/2026/", 0),
            ("in/2026/a", 0),
            ("in/2026/b/", 0),
        ];
        assert_eq!(walked(&objects).await, ["/2026-x", "/2026/a"]);
    }

    #[tokio::test]
    async fn every_other_key_is_listed_or_named() {
        let long = "x".repeat(256);
        let too_long = format!("in/{long}/a");
        let objects = [
            ("in/../a", 1),
            ("in//a", 1),
            ("in/a", 1),
            ("in/b/", 1),
            ("in/c\t", 1),
            ("in/no//a", 1),
            (too_long.as_str(), 1),
            ("in/z", 1),
        ];
        let found = walked(&objects).await.join("\n");
        let found = found.replace(&long, "<long>").replace('\t', "<tab>");
        insta::assert_snapshot!(found, @"
        ! in/../a cannot be read as an input: its key is no path of a file (an empty part, `.`, `..` or a control character); rename or exclude the object
        ! in//a cannot be read as an input: its key is no path of a file (an empty part, `.`, `..` or a control character); rename or exclude the object
        /a
        ! in/b/ cannot be read as an input: its key is no path of a file (an empty part, `.`, `..` or a control character); rename or exclude the object
        ! in/c<tab> cannot be read as an input: its key is no path of a file (an empty part, `.`, `..` or a control character); rename or exclude the object
        ! in/<long>/a cannot be read as an input: a part of its key is longer than 255 bytes, the limit for a file's name; rename or exclude the object
        /z
        ");
    }
}
