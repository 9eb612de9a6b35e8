//! Downloads: complete and of a single version, or none at all.

use std::io;
use std::path::Path;

use futures::StreamExt;
use object_store::{GetOptions, GetRange, GetResult, ObjectMeta};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::error::{cut_short, failed};
use super::names::to_path;
use super::objects::Bucket;
use super::version;
use crate::store::{StoreError, StoreKey};

impl Bucket {
    /// Downloads the object into a new file. An object whose version differs from the listing is refused. No file
    /// remains after an error.
    pub(in crate::store) async fn download(
        &self,
        key: &StoreKey,
        listed: Option<&str>,
        to: &Path,
    ) -> Result<u64, StoreError> {
        let found = self.open_with(key, GetOptions::new()).await?;
        if listed.is_some_and(|listed| !version::matches(&found.meta, listed)) {
            return Err(StoreError::Changed { key: key.clone() });
        }
        let local = |error| local(key, error);
        let file = File::create_new(to).await.map_err(local)?;
        let fetched = self.fetch(found, file, key).await;
        if fetched.is_err() {
            tokio::fs::remove_file(to).await.map_err(local)?;
        }
        fetched
    }

    async fn open_with(&self, key: &StoreKey, how: GetOptions) -> Result<GetResult, StoreError> {
        let got = self.objects().get_opts(&to_path(key)?, how).await;
        got.map_err(|error| failed(key, error))
    }

    /// Resumes a broken download as long as each attempt makes progress.
    async fn fetch(
        &self,
        mut found: GetResult,
        mut file: File,
        key: &StoreKey,
    ) -> Result<u64, StoreError> {
        let whole = found.meta.clone();
        let mut size = 0;
        loop {
            let before = size;
            let ended = receive(found, &mut file, &mut size, key).await;
            if size == whole.size {
                file.flush().await.map_err(|error| local(key, error))?;
                return Ok(size);
            }
            let broken = match ended {
                Err(TransferError::Local(error)) => return Err(error),
                Err(TransferError::Remote(error)) => failed(key, error),
                Ok(()) => cut_short(key, size, whole.size),
            };
            if size == before || size > whole.size {
                return Err(broken);
            }
            tracing::info!(
                "the download of {key} broke off at {size} of {} bytes; resuming",
                whole.size
            );
            found = self.rest(key, &whole, size).await?;
        }
    }

    /// The rest of the same object.
    async fn rest(
        &self,
        key: &StoreKey,
        whole: &ObjectMeta,
        from: u64,
    ) -> Result<GetResult, StoreError> {
        let how = GetOptions {
            range: Some(GetRange::Bounded(from..whole.size)),
            if_match: whole.e_tag.clone(),
            ..GetOptions::new()
        };
        let changed = || StoreError::Changed { key: key.clone() };
        match self.open_with(key, how).await {
            Ok(found) if found.meta.size != whole.size || found.meta.e_tag != whole.e_tag => {
                Err(changed())
            }
            Err(StoreError::Exists { .. }) => Err(changed()),
            found => found,
        }
    }
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
