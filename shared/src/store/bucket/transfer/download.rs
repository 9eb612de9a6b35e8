//! Downloads: complete and of a single version, or none at all.

use std::io::{self, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::pin::pin;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::{GetOptions, GetRange, GetResult, ObjectMeta};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use crate::store::bucket::error::{cut_short, failed};
use crate::store::bucket::names::to_path;
use crate::store::bucket::objects::Bucket;
use crate::store::bucket::version;
use crate::store::{StoreError, StoreKey};

/// Objects of this size and more are downloaded in ranges, if the listing tells their `e_tag`.
const LARGE_BYTES: u64 = 32 << 20;

/// Size of a range.
const RANGE_BYTES: u64 = 16 << 20;

/// Ranges of an object in flight at the same time.
const RANGES_AT_ONCE: usize = 4;

/// Memory for the buffers of a download.
const BUFFER_BYTES: u64 = 4 << 20;

/// The one object that a download is of.
struct Source<'a> {
    key: &'a StoreKey,
    e_tag: Option<String>,
    size: u64,
}

impl Bucket {
    /// Downloads the object into a new file. An object whose version differs from the listing is refused. No file
    /// remains after an error.
    pub(in crate::store) async fn download(
        &self,
        key: &StoreKey,
        listed: Option<&str>,
        to: &Path,
    ) -> Result<u64, StoreError> {
        let large = listed
            .and_then(version::tag_and_size)
            .filter(|(_, size)| *size >= LARGE_BYTES);
        let (source, found) = if let Some((e_tag, size)) = large {
            let e_tag = Some(format!("\"{e_tag}\""));
            (Source { key, e_tag, size }, None)
        } else {
            let found = self.open_listed(key, listed).await?;
            (Source::of(key, &found.meta), Some(found))
        };
        let file = create(key, to).await?;
        let fetched = match found {
            Some(_) => self.fetch(&source, found, file, 0..source.size).await,
            None => self.fetch_ranges(&source, file, to).await,
        };
        if fetched.is_err() {
            let removed = tokio::fs::remove_file(to).await;
            removed.map_err(|error| local(key, error))?;
        }
        fetched
    }

    /// The object, if it is the listed one.
    async fn open_listed(
        &self,
        key: &StoreKey,
        listed: Option<&str>,
    ) -> Result<GetResult, StoreError> {
        let found = self.open_with(key, GetOptions::new()).await?;
        if listed.is_some_and(|listed| !version::matches(&found.meta, listed)) {
            return Err(StoreError::Changed { key: key.clone() });
        }
        Ok(found)
    }

    async fn open_with(&self, key: &StoreKey, how: GetOptions) -> Result<GetResult, StoreError> {
        let got = self.objects().get_opts(&to_path(key)?, how).await;
        got.map_err(|error| failed(key, error))
    }

    /// Downloads a large object in ranges, several at a time, into the new file at `to`.
    async fn fetch_ranges(
        &self,
        source: &Source<'_>,
        file: File,
        to: &Path,
    ) -> Result<u64, StoreError> {
        let local = |error| local(source.key, error);
        file.set_len(source.size).await.map_err(local)?;
        let fetches = ranges(source.size).map(|range| async {
            let mut part = File::options().write(true).open(to).await.map_err(local)?;
            part.seek(SeekFrom::Start(range.start))
                .await
                .map_err(local)?;
            self.fetch(source, None, part, range).await
        });
        let mut fetches = pin!(stream::iter(fetches).buffer_unordered(RANGES_AT_ONCE));
        let mut size = 0;
        while let Some(fetched) = fetches.try_next().await? {
            size += fetched;
        }
        Ok(size)
    }

    /// Downloads a range into the file from the current position on; `found` is an answer that was opened before. Resumes a broken
    /// download as long as each attempt makes progress.
    async fn fetch(
        &self,
        source: &Source<'_>,
        mut found: Option<GetResult>,
        mut file: File,
        range: Range<u64>,
    ) -> Result<u64, StoreError> {
        let key = source.key;
        let whole = range.end - range.start;
        let _share = self.memory().share(BUFFER_BYTES.min(whole)).await;
        let mut size = 0;
        loop {
            let before = size;
            let opened = match found.take() {
                Some(found) => found,
                None => {
                    self.open_range(source, range.start + size..range.end)
                        .await?
                }
            };
            let ended = receive(opened, &mut file, &mut size, key).await;
            if size == whole {
                file.flush().await.map_err(|error| local(key, error))?;
                return Ok(size);
            }
            let broken = match ended {
                Err(TransferError::Local(error)) => return Err(error),
                Err(TransferError::Remote(error)) => failed(key, error),
                Ok(()) => cut_short(key, size, whole),
            };
            if size == before || size > whole {
                return Err(broken);
            }
            tracing::info!("the download of {key} broke off at {size} of {whole} bytes; resuming");
        }
    }

    /// A range of the object; an error if the object was replaced.
    async fn open_range(
        &self,
        source: &Source<'_>,
        range: Range<u64>,
    ) -> Result<GetResult, StoreError> {
        let how = GetOptions {
            range: Some(GetRange::Bounded(range)),
            if_match: source.e_tag.clone(),
            ..GetOptions::new()
        };
        let changed = || StoreError::Changed {
            key: source.key.clone(),
        };
        match self.open_with(source.key, how).await {
            Ok(found) if !source.is(&found.meta) => Err(changed()),
            Err(StoreError::Exists { .. }) => Err(changed()),
            found => found,
        }
    }
}

impl<'a> Source<'a> {
    /// The object of an answer.
    fn of(key: &'a StoreKey, found: &ObjectMeta) -> Self {
        Self {
            key,
            e_tag: found.e_tag.clone(),
            size: found.size,
        }
    }

    /// True if the answer is of this object. Some servers quote the `e_tag` in listings alone.
    fn is(&self, found: &ObjectMeta) -> bool {
        let bare =
            |tag: &Option<String>| tag.as_deref().map(|tag| tag.trim_matches('"').to_owned());
        found.size == self.size && bare(&found.e_tag) == bare(&self.e_tag)
    }
}

/// The ranges of an object of `size` bytes.
fn ranges(size: u64) -> impl Iterator<Item = Range<u64>> {
    (0..size.div_ceil(RANGE_BYTES)).map(move |n| {
        let start = n * RANGE_BYTES;
        start..size.min(start + RANGE_BYTES)
    })
}

async fn create(key: &StoreKey, to: &Path) -> Result<File, StoreError> {
    let created = File::create_new(to).await;
    created.map_err(|error| local(key, error))
}

/// Where a transfer ended early.
enum TransferError {
    /// The local file could not be written.
    Local(StoreError),
    /// The bucket did not send on.
    Remote(object_store::Error),
}

async fn receive(
    found: GetResult,
    file: &mut File,
    size: &mut u64,
    key: &StoreKey,
) -> Result<(), TransferError> {
    let mut pieces = found.into_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(TransferError::Remote)?;
        let written = file.write_all(&piece).await;
        written.map_err(|error| TransferError::Local(local(key, error)))?;
        *size += piece.len() as u64;
    }
    Ok(())
}

/// The failure of a local file on behalf of `key`.
pub(super) fn local(key: &StoreKey, error: io::Error) -> StoreError {
    StoreError::Unavailable {
        key: key.clone(),
        source: error.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::iter;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use bytes::Bytes;
    use futures::stream::{self, BoxStream};
    use object_store::memory::InMemory;
    use object_store::path::Path as ObjectPath;
    use object_store::{
        CopyOptions, Error, GetResultPayload, ListResult, MultipartUpload, ObjectStore,
        PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    };

    use super::*;

    /// A store whose bodies break off after `piece` bytes each, after the client's own retries.
    #[derive(Debug)]
    struct BreakingStore {
        memory: InMemory,
        piece: u64,
        /// Remaining requests until the object is replaced by an object of the same size.
        until_replaced: AtomicU64,
    }

    impl fmt::Display for BreakingStore {
        fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a memory that breaks off")
        }
    }

    #[async_trait::async_trait]
    impl ObjectStore for BreakingStore {
        async fn get_opts(&self, at: &ObjectPath, how: GetOptions) -> Result<GetResult> {
            if self.until_replaced.fetch_sub(1, Ordering::Relaxed) == 0 {
                let other = PutPayload::from_static(b"OTHER BYTES");
                self.memory
                    .put_opts(at, other, PutOptions::default())
                    .await?;
            }
            let found = self.memory.get_opts(at, how).await?;
            let (range, meta) = (found.range.clone(), found.meta.clone());
            let piece = usize::try_from(self.piece.min(range.end - range.start)).unwrap();
            let bytes = found.bytes().await?.slice(..piece);
            let broken = Error::Generic {
                store: "memory",
                source: "it broke off".into(),
            };
            Ok(GetResult {
                payload: GetResultPayload::Stream(stream::iter([Ok(bytes), Err(broken)]).boxed()),
                meta,
                range,
                attributes: object_store::Attributes::default(),
                extensions: object_store::Extensions::default(),
            })
        }

        async fn put_opts(
            &self,
            at: &ObjectPath,
            bytes: PutPayload,
            how: PutOptions,
        ) -> Result<PutResult> {
            self.memory.put_opts(at, bytes, how).await
        }

        async fn put_multipart_opts(
            &self,
            at: &ObjectPath,
            how: PutMultipartOptions,
        ) -> Result<Box<dyn MultipartUpload>> {
            self.memory.put_multipart_opts(at, how).await
        }

        fn delete_stream(
            &self,
            paths: BoxStream<'static, Result<ObjectPath>>,
        ) -> BoxStream<'static, Result<ObjectPath>> {
            self.memory.delete_stream(paths)
        }

        fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectMeta>> {
            self.memory.list(prefix)
        }

        async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
            self.memory.list_with_delimiter(prefix).await
        }

        async fn copy_opts(
            &self,
            from: &ObjectPath,
            to: &ObjectPath,
            how: CopyOptions,
        ) -> Result<()> {
            self.memory.copy_opts(from, to, how).await
        }
    }

    /// Downloads `some bytes.` from the breaking store; returns the outcome and the content of the file.
    async fn download(
        piece: u64,
        until_replaced: u64,
    ) -> (Result<u64, StoreError>, Option<String>) {
        let memory = InMemory::new();
        let bucket = Bucket::new(Arc::new(BreakingStore {
            memory,
            piece,
            until_replaced: AtomicU64::new(until_replaced),
        }));
        let key = StoreKey::parse("a").unwrap();
        bucket
            .put(&key, Bytes::from_static(b"some bytes."))
            .await
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("a");
        let ended = bucket.download(&key, None, &to).await;
        (ended, std::fs::read_to_string(to).ok())
    }

    #[test]
    fn the_ranges_of_an_object_are_all_of_it() {
        assert_eq!(ranges(0).count(), 0);
        let of = |size| ranges(size).collect::<Vec<_>>();
        assert!(ranges(7).eq(iter::once(0..7)));
        assert!(ranges(RANGE_BYTES).eq(iter::once(0..RANGE_BYTES)));
        let end = 2 * RANGE_BYTES + 1;
        let expected = [
            0..RANGE_BYTES,
            RANGE_BYTES..2 * RANGE_BYTES,
            2 * RANGE_BYTES..end,
        ];
        assert_eq!(of(end), expected);
    }

    #[tokio::test]
    async fn a_large_object_comes_in_ranges_and_a_changed_one_not_at_all() {
        let bucket = Bucket::in_memory();
        let key = StoreKey::parse("a").unwrap();
        let bytes: Vec<u8> = (0..LARGE_BYTES + 7).map(|n| (n % 251) as u8).collect();
        bucket.put(&key, bytes.clone().into()).await.unwrap();
        let listed = bucket.entry(&key).await.unwrap().version;
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("a");
        let size = bucket.download(&key, Some(&listed), &to).await.unwrap();
        assert_eq!(size, bytes.len() as u64);
        assert!(std::fs::read(&to).unwrap() == bytes, "it was changed");
        std::fs::remove_file(&to).unwrap();
        bucket.put(&key, bytes.into()).await.unwrap();
        let changed = bucket.download(&key, Some(&listed), &to).await;
        assert!(
            matches!(changed, Err(StoreError::Changed { .. })),
            "{changed:?}"
        );
        assert!(!to.exists());
    }

    #[tokio::test]
    async fn a_broken_download_is_resumed_while_it_progresses() {
        let (ended, file) = download(3, u64::MAX).await;
        assert_eq!(ended.unwrap(), 11);
        assert_eq!(file.unwrap(), "some bytes.");
    }

    #[tokio::test]
    async fn a_stalled_download_leaves_no_file() {
        let (ended, file) = download(0, u64::MAX).await;
        assert!(
            matches!(ended, Err(StoreError::Unavailable { .. })),
            "{ended:?}"
        );
        assert_eq!(file, None);
    }

    #[tokio::test]
    async fn two_objects_are_not_put_together() {
        let (ended, file) = download(3, 2).await;
        assert!(
            matches!(ended, Err(StoreError::Changed { .. })),
            "{ended:?}"
        );
        assert_eq!(file, None);
    }
}
