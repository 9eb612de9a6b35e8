//! Downloads: whole and of one version, or not at all.

use std::io;
use std::path::Path;

use futures::StreamExt;
use object_store::{GetOptions, GetRange, GetResult, ObjectMeta};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::names::to_path;
use super::objects::Bucket;
use super::trouble::failed;
use super::version;
use crate::store::{StoreError, StoreKey};

impl Bucket {
    /// Copies the object into a new file; an object of another version than was listed is refused. On an error there is no file.
    pub(in crate::store) async fn download(
        &self,
        key: &StoreKey,
        listed: Option<&str>,
        to: &Path,
    ) -> Result<u64, StoreError> {
        let found = self.look(key, GetOptions::new()).await?;
        if listed.is_some_and(|listed| !version::fits(&found.meta, listed)) {
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

    async fn look(&self, key: &StoreKey, how: GetOptions) -> Result<GetResult, StoreError> {
        let got = self.objects().get_opts(&to_path(key)?, how).await;
        got.map_err(|error| failed(key, error))
    }

    /// Goes on where a connection broke off, as long as each one brings something.
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
                Err(Ended::Here(error)) => return Err(error),
                Err(Ended::There(error)) => failed(key, error),
                Ok(()) => cut_short(key, size, whole.size),
            };
            if size == before || size > whole.size {
                return Err(broken);
            }
            tracing::info!(
                "{key} broke off at {size} of {} bytes; going on",
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
        match self.look(key, how).await {
            Ok(found) if found.meta.size != whole.size || found.meta.e_tag != whole.e_tag => {
                Err(changed())
            }
            Err(StoreError::Exists { .. }) => Err(changed()),
            found => found,
        }
    }
}

/// Where a transfer ended early.
enum Ended {
    /// The local file could not be written.
    Here(StoreError),
    /// The bucket did not send on.
    There(object_store::Error),
}

async fn receive(
    found: GetResult,
    file: &mut File,
    size: &mut u64,
    key: &StoreKey,
) -> Result<(), Ended> {
    let mut pieces = found.into_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(Ended::There)?;
        let written = file.write_all(&piece).await;
        written.map_err(|error| Ended::Here(local(key, error)))?;
        *size += piece.len() as u64;
    }
    Ok(())
}

/// An answer that has not the size it announced.
pub(super) fn cut_short(key: &StoreKey, size: u64, whole: u64) -> StoreError {
    StoreError::Unavailable {
        key: key.clone(),
        source: format!("it has {whole} bytes, but {size} came").into(),
    }
}

/// The failure of a local file that is read or written on behalf of `key`.
pub(super) fn local(key: &StoreKey, error: io::Error) -> StoreError {
    StoreError::Unavailable {
        key: key.clone(),
        source: error.into(),
    }
}
