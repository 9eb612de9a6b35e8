//! Objects in a bucket.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::memory::InMemory;
use object_store::{
    GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload, WriteMultipart,
};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;

use super::BucketWalk;
use super::names::{to_key, to_path};
use super::trouble::failed;
use crate::store::{Entry, StoreError, StoreKey};

/// Objects larger than this are uploaded in parts.
const MULTIPART_BYTES: u64 = 16 * 1024 * 1024;

/// Size of a part; S3 takes 10,000 parts, so this carries objects of 156 GiB.
const PART_BYTES: usize = 16 * 1024 * 1024;

/// Parts of an object on their way at once, which bounds the memory of an upload.
const PARTS_AT_ONCE: usize = 4;

/// Objects larger than this cannot be copied by S3 in one request.
const COPY_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// Requests of one bulk operation on their way at once.
const REQUESTS_AT_ONCE: usize = 16;

/// A bucket as a store. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::store) struct Bucket {
    objects: Arc<dyn ObjectStore>,
    /// The runtime that the blocking walk waits on.
    runtime: Handle,
}

impl Bucket {
    /// A bucket in memory. Panics outside of a Tokio runtime.
    pub(in crate::store) fn in_memory() -> Self {
        Self::new(Arc::new(InMemory::new()))
    }

    pub(super) fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self {
            objects,
            runtime: Handle::current(),
        }
    }

    pub(super) fn objects(&self) -> &dyn ObjectStore {
        &*self.objects
    }

    pub(in crate::store) async fn get(&self, key: &StoreKey) -> Result<Bytes, StoreError> {
        let result = self.open_object(key).await?;
        result.bytes().await.map_err(|error| failed(key, error))
    }

    async fn open_object(&self, key: &StoreKey) -> Result<GetResult, StoreError> {
        let path = to_path(key)?;
        self.objects
            .get(&path)
            .await
            .map_err(|error| failed(key, error))
    }

    pub(in crate::store) async fn entry(&self, key: &StoreKey) -> Result<Entry, StoreError> {
        let path = to_path(key)?;
        let meta = self
            .objects
            .head(&path)
            .await
            .map_err(|error| failed(key, error))?;
        Ok(entry(&meta, format!("/{}", key.as_str())))
    }

    pub(in crate::store) async fn put(
        &self,
        key: &StoreKey,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        self.put_as(key, bytes, PutMode::Overwrite).await
    }

    pub(in crate::store) async fn create(
        &self,
        key: &StoreKey,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        self.put_as(key, bytes, PutMode::Create).await
    }

    async fn put_as(&self, key: &StoreKey, bytes: Bytes, mode: PutMode) -> Result<(), StoreError> {
        let path = to_path(key)?;
        let put = self
            .objects
            .put_opts(&path, PutPayload::from_bytes(bytes), mode.into());
        put.await.map(|_| ()).map_err(|error| failed(key, error))
    }

    pub(in crate::store) async fn delete_each(
        &self,
        keys: Vec<StoreKey>,
    ) -> Result<(), StoreError> {
        let paths = keys.iter().map(to_path).collect::<Result<Vec<_>, _>>()?;
        self.delete_paths(
            stream::iter(paths.into_iter().map(Ok)).boxed(),
            &StoreKey::root(),
        )
        .await
    }

    pub(in crate::store) async fn delete_all(&self, prefix: &StoreKey) -> Result<(), StoreError> {
        let listed = self.objects.list(Some(&to_path(prefix)?));
        let paths = listed.map_ok(|meta| meta.location).boxed();
        self.delete_paths(paths, prefix).await
    }

    async fn delete_paths(
        &self,
        paths: stream::BoxStream<'static, object_store::Result<object_store::path::Path>>,
        key: &StoreKey,
    ) -> Result<(), StoreError> {
        let mut deleted = self.objects.delete_stream(paths);
        while let Some(each) = deleted.next().await {
            match each.map_err(|error| failed(key, error)) {
                Ok(_) | Err(StoreError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(in crate::store) async fn names(
        &self,
        prefix: &StoreKey,
    ) -> Result<Vec<String>, StoreError> {
        let listed = self
            .objects
            .list_with_delimiter(Some(&to_path(prefix)?))
            .await;
        let listed = listed.map_err(|error| failed(prefix, error))?;
        let mut names = vec![];
        for object in listed.objects {
            names.push(to_key(&object.location)?.name().to_owned());
        }
        for folder in listed.common_prefixes {
            names.push(format!("{}/", to_key(&folder)?.name()));
        }
        names.sort_unstable();
        Ok(names)
    }

    pub(in crate::store) async fn download(
        &self,
        key: &StoreKey,
        to: &Path,
    ) -> Result<u64, StoreError> {
        let local = |error: std::io::Error| StoreError::Unavailable {
            key: key.clone(),
            source: error.into(),
        };
        let mut parts = self.open_object(key).await?.into_stream();
        let mut file = File::create_new(to).await.map_err(local)?;
        let mut size = 0;
        while let Some(part) = parts.next().await {
            let part = part.map_err(|error| failed(key, error))?;
            file.write_all(&part).await.map_err(local)?;
            size += part.len() as u64;
        }
        file.flush().await.map_err(local)?;
        Ok(size)
    }

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
            .buffer_unordered(REQUESTS_AT_ONCE)
            .try_collect()
            .await
    }

    async fn adopt(&self, from: &Path, key: &StoreKey) -> Result<(), StoreError> {
        let local = |error: std::io::Error| StoreError::Unavailable {
            key: key.clone(),
            source: error.into(),
        };
        let size = tokio::fs::metadata(from).await.map_err(local)?.len();
        if size <= MULTIPART_BYTES {
            let bytes = tokio::fs::read(from).await.map_err(local)?;
            self.put(key, bytes.into()).await?;
        } else {
            let mut file = File::open(from).await.map_err(local)?;
            let mut upload = self.begin_upload(key).await?;
            let mut part = Bytes::new();
            while read_part(&mut file, &mut part).await.map_err(local)? {
                send(&mut upload, part.clone(), key).await?;
            }
            upload.finish().await.map_err(|error| failed(key, error))?;
        }
        tokio::fs::remove_file(from).await.map_err(local)
    }

    async fn begin_upload(&self, key: &StoreKey) -> Result<WriteMultipart, StoreError> {
        let upload = self.objects.put_multipart(&to_path(key)?).await;
        let upload = upload.map_err(|error| failed(key, error))?;
        Ok(WriteMultipart::new_with_chunk_size(upload, PART_BYTES))
    }

    pub(in crate::store) async fn link(
        &self,
        from: &StoreKey,
        to: &StoreKey,
    ) -> Result<Entry, StoreError> {
        if self.entry(from).await?.size > COPY_BYTES {
            return self.concat(std::slice::from_ref(from), to).await;
        }
        let copied = self.objects.copy(&to_path(from)?, &to_path(to)?).await;
        copied.map_err(|error| failed(from, error))?;
        self.entry(to).await
    }

    pub(in crate::store) async fn concat(
        &self,
        parts: &[StoreKey],
        to: &StoreKey,
    ) -> Result<Entry, StoreError> {
        let mut size = 0;
        for part in parts {
            size += self.entry(part).await?.size;
        }
        if size <= MULTIPART_BYTES {
            let mut bytes = Vec::new();
            for part in parts {
                bytes.extend_from_slice(&self.get(part).await?);
            }
            self.put(to, bytes.into()).await?;
        } else {
            self.concat_large(parts, to).await?;
        }
        self.entry(to).await
    }

    async fn concat_large(&self, parts: &[StoreKey], to: &StoreKey) -> Result<(), StoreError> {
        let mut upload = self.begin_upload(to).await?;
        for part in parts {
            let mut bytes = self.open_object(part).await?.into_stream();
            while let Some(some) = bytes.next().await {
                let some = some.map_err(|error| failed(part, error))?;
                send(&mut upload, some, to).await?;
            }
        }
        upload.finish().await.map_err(|error| failed(to, error))?;
        Ok(())
    }

    pub(in crate::store) fn walk(&self, prefix: &StoreKey) -> Result<BucketWalk, StoreError> {
        let listing = self.objects.list(Some(&to_path(prefix)?));
        Ok(BucketWalk::new(
            listing,
            prefix.clone(),
            self.runtime.clone(),
        ))
    }
}

/// What a listing tells of an object. Its version is its `e_tag` and size, or when it was modified where the
/// store tells no `e_tag`.
pub(super) fn entry(meta: &ObjectMeta, path: String) -> Entry {
    let version = match &meta.e_tag {
        Some(tag) => format!("etag:{}:{}", tag.trim_matches('"'), meta.size),
        None => format!(
            "modified:{}:{}",
            meta.last_modified.timestamp_micros(),
            meta.size
        ),
    };
    Entry {
        path,
        size: meta.size,
        version,
    }
}

/// Sends bytes once there is room for them.
async fn send(upload: &mut WriteMultipart, bytes: Bytes, key: &StoreKey) -> Result<(), StoreError> {
    let room = upload.wait_for_capacity(PARTS_AT_ONCE).await;
    room.map_err(|error| failed(key, error))?;
    upload.put(bytes);
    Ok(())
}

/// Reads the next part of a file; false at its end.
async fn read_part(file: &mut File, part: &mut Bytes) -> std::io::Result<bool> {
    let mut bytes = Vec::with_capacity(PART_BYTES);
    file.take(PART_BYTES as u64).read_to_end(&mut bytes).await?;
    *part = bytes.into();
    Ok(!part.is_empty())
}
