//! Objects in a bucket.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::memory::InMemory;
use object_store::{
    GetResult, ListResult, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload,
    UpdateVersion,
};
use tokio::runtime::Handle;

use super::error::{cut_short, failed};
use super::names::{to_key, to_path};
use super::pages::Pages;
use super::retry::retry_transient;
use super::transfer_memory::TransferMemory;
use super::version;
use super::walk::{BucketWalk, entry};
use crate::store::{Entry, NamesPage, ObjectVersion, StoreError, StoreKey};

/// S3 cannot copy larger objects in one request.
const COPY_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// Names on a page in memory: few, so tests of long listings are short.
const IN_MEMORY: usize = 100;

/// A bucket as a store. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::store) struct Bucket {
    objects: Arc<dyn ObjectStore>,
    /// None in memory, where a listing is no request.
    pages: Option<Pages>,
    /// The runtime for the blocking walk.
    runtime: Handle,
    /// For the bytes of transfers.
    memory: TransferMemory,
}

impl Bucket {
    /// A bucket in memory. Panics outside of a Tokio runtime.
    pub(in crate::store) fn in_memory() -> Self {
        Self::new(Arc::new(InMemory::new()))
    }

    pub(in crate::store) fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self {
            objects,
            pages: None,
            runtime: Handle::current(),
            memory: TransferMemory::of_process(),
        }
    }

    /// The same bucket with a bound of its own for the memory of transfers.
    #[cfg(test)]
    pub(super) fn with_memory(self, memory: TransferMemory) -> Self {
        Self { memory, ..self }
    }

    pub(super) fn memory(&self) -> &TransferMemory {
        &self.memory
    }

    /// The same bucket, which reads long listings by pages.
    pub(super) fn with_pages(self, pages: Pages) -> Self {
        Self {
            pages: Some(pages),
            ..self
        }
    }

    pub(super) fn pages(&self) -> Option<&Pages> {
        self.pages.as_ref()
    }

    pub(super) fn objects(&self) -> &dyn ObjectStore {
        &*self.objects
    }

    pub(in crate::store) async fn get(&self, key: &StoreKey) -> Result<Bytes, StoreError> {
        whole(key, self.open_object(key).await?).await
    }

    pub(in crate::store) async fn get_versioned(
        &self,
        key: &StoreKey,
    ) -> Result<(Bytes, ObjectVersion), StoreError> {
        let result = self.open_object(key).await?;
        let version = ObjectVersion {
            e_tag: result.meta.e_tag.clone(),
            version: result.meta.version.clone(),
        };
        Ok((whole(key, result).await?, version))
    }

    pub(in crate::store) async fn replace(
        &self,
        key: &StoreKey,
        bytes: Bytes,
        version: &ObjectVersion,
    ) -> Result<(), StoreError> {
        let ObjectVersion { e_tag, version } = version.clone();
        let mode = match e_tag {
            Some(_) => PutMode::Update(UpdateVersion { e_tag, version }),
            None => PutMode::Overwrite,
        };
        match self.put_as(key, bytes, mode).await {
            Err(StoreError::Exists { key } | StoreError::Missing { key }) => {
                Err(StoreError::Changed { key })
            }
            put => put,
        }
    }

    pub(super) async fn open_object(&self, key: &StoreKey) -> Result<GetResult, StoreError> {
        let path = to_path(key)?;
        self.objects
            .get(&path)
            .await
            .map_err(|error| failed(key, error))
    }

    pub(in crate::store) async fn entry(&self, key: &StoreKey) -> Result<Entry, StoreError> {
        let meta = self.meta(key).await?;
        Ok(entry(&meta, format!("/{}", key.as_str())))
    }

    pub(in crate::store) async fn has_version(
        &self,
        key: &StoreKey,
        listed: &str,
    ) -> Result<bool, StoreError> {
        match self.meta(key).await {
            Ok(meta) => Ok(version::matches(&meta, listed)),
            Err(StoreError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn meta(&self, key: &StoreKey) -> Result<ObjectMeta, StoreError> {
        let head = self.objects.head(&to_path(key)?).await;
        head.map_err(|error| failed(key, error))
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
        let payload = PutPayload::from_bytes(bytes);
        let put = retry_transient(|| {
            let (payload, how) = (payload.clone(), mode.clone().into());
            self.objects.put_opts(&path, payload, how)
        });
        put.await.map(|_| ()).map_err(|error| failed(key, error))
    }

    pub(in crate::store) async fn delete_each(
        &self,
        keys: Vec<StoreKey>,
    ) -> Result<(), StoreError> {
        let paths = keys.iter().map(to_path).collect::<Result<Vec<_>, _>>()?;
        let deleted = retry_transient(|| {
            let paths = stream::iter(paths.clone().into_iter().map(Ok));
            self.delete_paths(paths.boxed())
        });
        deleted
            .await
            .map_err(|error| failed(&StoreKey::root(), error))
    }

    pub(in crate::store) async fn delete_all(&self, prefix: &StoreKey) -> Result<(), StoreError> {
        let folder = to_path(prefix)?;
        let deleted = retry_transient(|| {
            let listed = self.objects.list(Some(&folder));
            self.delete_paths(listed.map_ok(|meta| meta.location).boxed())
        });
        deleted.await.map_err(|error| failed(prefix, error))
    }

    async fn delete_paths(
        &self,
        paths: BoxStream<'static, object_store::Result<object_store::path::Path>>,
    ) -> object_store::Result<()> {
        let mut deleted = self.objects.delete_stream(paths);
        while let Some(each) = deleted.next().await {
            match each {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(in crate::store) async fn names(
        &self,
        prefix: &StoreKey,
    ) -> Result<Vec<String>, StoreError> {
        let folder = to_path(prefix)?;
        let listed = self.objects.list_with_delimiter(Some(&folder)).await;
        names_in(listed.map_err(|error| failed(prefix, error))?)
    }

    pub(in crate::store) async fn names_after(
        &self,
        prefix: &StoreKey,
        after: &str,
    ) -> Result<NamesPage, StoreError> {
        let Some(pages) = &self.pages else {
            let names = self.names(prefix).await?;
            return Ok(NamesPage::cut(names, after, IN_MEMORY));
        };
        let page = pages.page(&to_path(prefix)?, after, None).await;
        let (listed, has_more) = page.map_err(|error| failed(prefix, error))?;
        let names = names_in(listed)?;
        Ok(NamesPage { names, has_more })
    }

    pub(in crate::store) async fn link(
        &self,
        from: &StoreKey,
        to: &StoreKey,
    ) -> Result<(), StoreError> {
        let copied = self.objects.copy(&to_path(from)?, &to_path(to)?).await;
        match copied.map_err(|error| failed(from, error)) {
            Ok(()) => Ok(()),
            Err(missing @ StoreError::Missing { .. }) => Err(missing),
            // Only after a refusal is a request for the size worth its while.
            Err(error) => match self.entry(from).await {
                Ok(entry) if entry.size > COPY_BYTES => {
                    self.concat(std::slice::from_ref(from), to).await
                }
                Ok(_) | Err(_) => Err(error),
            },
        }
    }

    /// All objects below `within`, a folder below `prefix`.
    pub(in crate::store) fn walk(
        &self,
        prefix: &StoreKey,
        within: &StoreKey,
    ) -> Result<BucketWalk, StoreError> {
        let listing = self.objects.list(Some(&to_path(within)?));
        Ok(BucketWalk::new(
            listing,
            prefix.clone(),
            self.runtime.clone(),
        ))
    }
}

/// The sorted names in a listing; those of folders end with a slash.
fn names_in(listed: ListResult) -> Result<Vec<String>, StoreError> {
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

/// The bytes of an object; an error if the connection ended before all had come.
async fn whole(key: &StoreKey, result: GetResult) -> Result<Bytes, StoreError> {
    let size = result.meta.size;
    let bytes = result.bytes().await.map_err(|error| failed(key, error))?;
    if bytes.len() as u64 == size {
        Ok(bytes)
    } else {
        Err(cut_short(key, bytes.len() as u64, size))
    }
}
