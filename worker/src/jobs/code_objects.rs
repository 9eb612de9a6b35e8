//! Code files that are objects of a bucket are looked at after each command, as those of the local machine are.

use std::time::Instant;

use drover_shared::datum::{CodeFile, ContentTag};
use drover_shared::store::{Store, StoreError, StoreKey};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::Mutex;

/// Objects that are asked for at once.
const CONCURRENT_LOOKS: usize = 16;

/// The code objects of a job.
#[derive(Debug)]
pub(crate) struct CodeObjects {
    bucket: Store,
    objects: Vec<(StoreKey, ContentTag)>,
    last: Mutex<Option<Look>>,
}

/// A look at all objects.
#[derive(Clone, Debug)]
struct Look {
    begun: Instant,
    changed: Option<String>,
}

impl CodeObjects {
    /// The objects among `files`: those without a path on a machine.
    pub(crate) fn new(files: &[CodeFile], store: &Store) -> Self {
        let in_bucket = files
            .iter()
            .filter(|file| file.path.as_os_str().is_empty() && store.local_root().is_none());
        let keyed = in_bucket.filter_map(|file| {
            let key = StoreKey::parse(&file.name).ok()?;
            Some((key, file.tag.clone()))
        });
        Self {
            objects: keyed.collect(),
            bucket: store.clone(),
            last: Mutex::default(),
        }
    }

    /// The name of an object that changed after the ids of the datums were made from its content; none if no object did. A look that
    /// begins after the call serves all callers who wait for it.
    pub(crate) async fn changed(&self) -> Result<Option<String>, StoreError> {
        if self.objects.is_empty() {
            return Ok(None);
        }
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some(look) = last.as_ref().filter(|look| look.begun > asked) {
            return Ok(look.changed.clone());
        }
        let begun = Instant::now();
        let changed = self.look().await?;
        *last = Some(Look {
            begun,
            changed: changed.clone(),
        });
        Ok(changed)
    }

    async fn look(&self) -> Result<Option<String>, StoreError> {
        let looks = self.objects.iter().map(|(key, tag)| async move {
            let is_listed = self.bucket.has_version(key, tag.as_str()).await?;
            Ok((!is_listed).then(|| key.to_string()))
        });
        let looks: Vec<_> = looks.collect();
        let mut looks = stream::iter(looks).buffer_unordered(CONCURRENT_LOOKS);
        while let Some(changed) = looks.try_next().await? {
            if changed.is_some() {
                return Ok(changed);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[tokio::test]
    async fn a_replaced_or_removed_object_is_named() {
        let bucket = Store::in_memory();
        let keys: [StoreKey; 2] = ["lib/a.py", "b.py"].map(|key| key.parse().unwrap());
        let mut files = Vec::new();
        for key in &keys {
            bucket.put(key, "1".into()).await.unwrap();
            files.push(CodeFile {
                name: key.to_string(),
                tag: ContentTag::new(bucket.entry(key).await.unwrap().version),
                path: PathBuf::new(),
            });
        }
        let code = CodeObjects::new(&files, &bucket);
        assert_eq!(code.changed().await.unwrap(), None);
        bucket.put(&keys[0], "2".into()).await.unwrap();
        let named = code.changed().await.unwrap();
        assert_eq!(named.as_deref(), Some("lib/a.py"));
        let code = CodeObjects::new(&files[1..], &bucket);
        bucket.delete(&keys[1]).await.unwrap();
        assert_eq!(code.changed().await.unwrap().as_deref(), Some("b.py"));
    }
}
