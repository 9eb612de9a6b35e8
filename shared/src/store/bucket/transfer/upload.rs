//! Uploads of files, and of objects concatenated from other objects. Large objects use a multipart upload, which is
//! aborted on failure.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::download::local;
use super::multipart::MultipartParts;
use crate::store::bucket::error::{cut_short, failed};
use crate::store::bucket::names::to_path;
use crate::store::bucket::objects::Bucket;
use crate::store::{StoreError, StoreKey};

/// Larger objects use a multipart upload.
const MULTIPART_BYTES: u64 = 16 * 1024 * 1024;

/// Smallest part, apart from the last part.
const PART_BYTES: u64 = 8 * 1024 * 1024;

/// S3 accepts at most so many parts.
const MOST_PARTS: u64 = 10_000;

/// Files in flight at the same time.
const FILES_AT_ONCE: usize = 16;

impl Bucket {
    pub(in crate::store) async fn adopt_each(
        &self,
        files: Vec<(PathBuf, StoreKey)>,
    ) -> Result<(), StoreError> {
        // Collected first: a stream that borrows in its closure is not `Send` for every caller.
        let mut adoptions = Vec::with_capacity(files.len());
        for (from, key) in &files {
            adoptions.push(self.adopt(from, key));
        }
        stream::iter(adoptions)
            .buffer_unordered(FILES_AT_ONCE)
            .try_collect()
            .await
    }

    async fn adopt(&self, from: &Path, key: &StoreKey) -> Result<(), StoreError> {
        self.upload(from, key).await?;
        let removed = tokio::fs::remove_file(from).await;
        removed.map_err(|error| local(key, error))
    }

    /// Copies the file to `key`.
    pub(in crate::store) async fn upload(
        &self,
        from: &Path,
        key: &StoreKey,
    ) -> Result<(), StoreError> {
        let local = |error| local(key, error);
        let size = tokio::fs::metadata(from).await.map_err(local)?.len();
        if size <= MULTIPART_BYTES {
            let _share = self.memory().share(size).await;
            let bytes = tokio::fs::read(from).await.map_err(local)?;
            self.put(key, bytes.into()).await?;
        } else {
            self.send_large(&[UploadPiece::File(from)], size, key)
                .await?;
        }
        Ok(())
    }

    pub(in crate::store) async fn concat(
        &self,
        parts: &[StoreKey],
        to: &StoreKey,
    ) -> Result<(), StoreError> {
        let mut size = 0;
        for part in parts {
            size += self.entry(part).await?.size;
        }
        if size <= MULTIPART_BYTES {
            let _share = self.memory().share(size).await;
            let mut bytes = Vec::new();
            for part in parts {
                bytes.extend_from_slice(&self.get(part).await?);
            }
            self.put(to, bytes.into()).await
        } else {
            let pieces: Vec<UploadPiece<'_>> = parts.iter().map(UploadPiece::Object).collect();
            self.send_large(&pieces, size, to).await
        }
    }

    /// Uploads the concatenated pieces as one object.
    async fn send_large(
        &self,
        pieces: &[UploadPiece<'_>],
        size: u64,
        to: &StoreKey,
    ) -> Result<(), StoreError> {
        let before = self.version(to).await?;
        let mut parts = self.begin_parts(size, to).await?;
        let mut sent = self.send_all(pieces, &mut parts, to).await;
        if sent.is_ok()
            && let Err(error) = parts.complete().await
        {
            if self.is_new(to, size, before.as_deref()).await {
                parts.keep();
                return Ok(());
            }
            sent = Err(failed(to, error));
        }
        if sent.is_err() {
            abort(parts, to).await;
        }
        sent
    }

    /// True if an upload was completed although the answer was lost: a second completion is an error.
    async fn is_new(&self, key: &StoreKey, size: u64, before: Option<&str>) -> bool {
        let now = self.entry(key).await;
        now.is_ok_and(|now| now.size == size && Some(&*now.version) != before)
    }

    /// Version of an object, if the object exists.
    async fn version(&self, key: &StoreKey) -> Result<Option<String>, StoreError> {
        match self.entry(key).await {
            Ok(entry) => Ok(Some(entry.version)),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn begin_parts(&self, size: u64, to: &StoreKey) -> Result<MultipartParts, StoreError> {
        let begun = self.objects().put_multipart(&to_path(to)?).await;
        let begun = begun.map_err(|error| failed(to, error))?;
        let part = usize::try_from(part_bytes(size)).unwrap_or(usize::MAX);
        Ok(MultipartParts::of(begun, part, self.memory().clone()))
    }

    async fn send_all(
        &self,
        pieces: &[UploadPiece<'_>],
        parts: &mut MultipartParts,
        to: &StoreKey,
    ) -> Result<(), StoreError> {
        for piece in pieces {
            match piece {
                UploadPiece::File(path) => send_file(path, parts, to).await?,
                UploadPiece::Object(key) => self.send_object(key, parts, to).await?,
            }
        }
        Ok(())
    }

    async fn send_object(
        &self,
        key: &StoreKey,
        parts: &mut MultipartParts,
        to: &StoreKey,
    ) -> Result<(), StoreError> {
        let found = self.open_object(key).await?;
        let whole = found.meta.size;
        let mut size = 0;
        let mut bytes = found.into_stream();
        while let Some(some) = bytes.next().await {
            let some = some.map_err(|error| failed(key, error))?;
            size += some.len() as u64;
            send(some, parts, to).await?;
        }
        if size == whole {
            Ok(())
        } else {
            Err(cut_short(key, size, whole))
        }
    }
}

/// A piece of an object.
enum UploadPiece<'p> {
    File(&'p Path),
    Object(&'p StoreKey),
}

async fn send_file(
    path: &Path,
    parts: &mut MultipartParts,
    to: &StoreKey,
) -> Result<(), StoreError> {
    let mut file = File::open(path).await.map_err(|error| local(to, error))?;
    loop {
        let room = parts.room().await;
        let mut some = Vec::with_capacity(room);
        let read = (&mut file).take(room as u64).read_to_end(&mut some).await;
        if read.map_err(|error| local(to, error))? == 0 {
            return Ok(());
        }
        send(some.into(), parts, to).await?;
    }
}

async fn send(bytes: Bytes, parts: &mut MultipartParts, to: &StoreKey) -> Result<(), StoreError> {
    let sent = parts.send(bytes).await;
    sent.map_err(|error| failed(to, error))
}

/// Aborts an upload that cannot be completed.
async fn abort(parts: MultipartParts, to: &StoreKey) {
    if let Err(error) = parts.abort().await {
        let error = failed(to, error);
        tracing::warn!(
            "the multipart upload to {to} could not be aborted, its parts remain: {error}"
        );
    }
}

/// The size of the parts of an object: as small as the number of parts allows.
fn part_bytes(size: u64) -> u64 {
    size.div_ceil(MOST_PARTS).max(PART_BYTES)
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use futures::stream::BoxStream;
    use object_store::memory::InMemory;
    use object_store::path::Path as ObjectPath;
    use object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
        PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
    };
    use tokio::time::sleep;

    use super::*;
    use crate::store::bucket::transfer_memory::TransferMemory;

    #[test]
    fn no_object_needs_more_parts_than_there_can_be() {
        for size in [MULTIPART_BYTES, 1 << 36, (1 << 36) + 1, 5 << 40] {
            assert!(size.div_ceil(part_bytes(size)) <= MOST_PARTS, "{size}");
        }
    }

    /// The bytes under way, and the most there were.
    #[derive(Clone, Debug, Default)]
    struct UnderWay(Arc<(AtomicU64, AtomicU64)>);

    impl UnderWay {
        async fn carry(self, bytes: usize) {
            let (now, most) = &*self.0;
            let bytes = bytes as u64;
            let sum = now.fetch_add(bytes, Ordering::Relaxed) + bytes;
            most.fetch_max(sum, Ordering::Relaxed);
            sleep(Duration::from_millis(5)).await;
            now.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// A slow store that swallows what is put.
    #[derive(Debug, Default)]
    struct SlowStore {
        memory: InMemory,
        under_way: UnderWay,
    }

    impl fmt::Display for SlowStore {
        fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a slow memory")
        }
    }

    #[derive(Debug)]
    struct SlowUpload(UnderWay);

    #[async_trait::async_trait]
    impl MultipartUpload for SlowUpload {
        fn put_part(&mut self, part: PutPayload) -> UploadPart {
            let (under_way, bytes) = (self.0.clone(), part.content_length());
            Box::pin(async move {
                under_way.carry(bytes).await;
                Ok(())
            })
        }

        async fn complete(&mut self) -> Result<PutResult> {
            Ok(PutResult {
                e_tag: None,
                version: None,
                extensions: object_store::Extensions::default(),
            })
        }

        async fn abort(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[async_trait::async_trait]
    impl ObjectStore for SlowStore {
        async fn get_opts(&self, at: &ObjectPath, how: GetOptions) -> Result<GetResult> {
            self.memory.get_opts(at, how).await
        }

        async fn put_opts(
            &self,
            at: &ObjectPath,
            bytes: PutPayload,
            how: PutOptions,
        ) -> Result<PutResult> {
            self.under_way.clone().carry(bytes.content_length()).await;
            self.memory.put_opts(at, PutPayload::new(), how).await
        }

        async fn put_multipart_opts(
            &self,
            _: &ObjectPath,
            _: PutMultipartOptions,
        ) -> Result<Box<dyn MultipartUpload>> {
            Ok(Box::new(SlowUpload(self.under_way.clone())))
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

    #[tokio::test]
    async fn uploads_of_all_slots_stay_below_the_memory_for_transfers() {
        const MEMORY: u64 = 20 << 20;
        let objects = SlowStore::default();
        let under_way = objects.under_way.clone();
        let bucket = Bucket::new(Arc::new(objects)).with_memory(TransferMemory::of(MEMORY));
        let folder = tempfile::tempdir().unwrap();
        let slots = (0..3).map(|slot| {
            let files = (0..5_u64).map(|n| {
                let name = format!("{slot}.{n}");
                let path = folder.path().join(&name);
                // A small one, and one in parts, in turns; sparse, so that the test writes little.
                let size = if n % 2 == 0 { 7 << 20 } else { 33 << 20 };
                std::fs::File::create(&path).unwrap().set_len(size).unwrap();
                (path, StoreKey::parse(&name).unwrap())
            });
            bucket.adopt_each(files.collect())
        });
        for ended in futures::future::join_all(slots).await {
            ended.unwrap();
        }
        let most = under_way.0.1.load(Ordering::Relaxed);
        assert!((MEMORY / 2..=MEMORY).contains(&most), "{most}");
    }
}
