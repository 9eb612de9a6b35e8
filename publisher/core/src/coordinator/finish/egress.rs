//! Copies the output folder to the egress URL.

use std::path::{Path, PathBuf};

use drover_shared::backoff::Backoff;
use drover_shared::id::PipelineName;
use drover_shared::store::{Entry, Location, Store, StoreError, StoreKey, layout};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Retries per file, on top of the retries of the store.
const REPETITIONS: usize = 3;
/// Files listed ahead.
const AHEAD: usize = 256;

/// Why the output could not be copied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EgressError {
    /// The egress URL cannot be opened.
    #[error("cannot open the egress URL")]
    Open(#[source] StoreError),
    /// Copying a file failed.
    #[error("cannot copy {path} to the egress URL")]
    Copy {
        /// Path below the output folder.
        path: String,
        /// The store's answer.
        #[source]
        source: StoreError,
    },
    /// The output folder cannot be read.
    #[error("cannot read the output folder")]
    Read(#[source] StoreError),
    /// The job was stopped.
    #[error("stopped before all output was copied")]
    Stopped,
}

/// A copy of an output folder to an egress URL.
pub(crate) struct Egress<'a> {
    pub(crate) store: &'a Store,
    pub(crate) pipeline: &'a PipelineName,
    pub(crate) url: &'a str,
    /// Local folder for temporary copies.
    pub(crate) scratch: &'a Path,
    pub(crate) stop: &'a CancellationToken,
}

impl Egress<'_> {
    /// Copies every file of the output folder, replacing files of the same path; reports the number. Safe to repeat.
    pub(crate) async fn copy(&self, progress: &(dyn Fn(u64) + Sync)) -> Result<(), EgressError> {
        let target = self.open().await.map_err(EgressError::Open)?;
        let folder = layout::output(self.pipeline);
        let mut files = list(self.store.clone(), folder.clone());
        let mut done = 0;
        while let Some(file) = files.recv().await {
            let path = file.map_err(EgressError::Read)?.path;
            if self.stop.is_cancelled() {
                return Err(EgressError::Stopped);
            }
            let copied = self.copy_with_retries(&folder, &target, &path).await;
            copied.map_err(|source| EgressError::Copy { path, source })?;
            done += 1;
            progress(done);
        }
        Ok(())
    }

    /// Opens the target; creates a missing folder.
    async fn open(&self) -> Result<Store, StoreError> {
        let base = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let location = Location::parse(self.url, &base)?;
        if let Location::Folder(folder) = &location
            && let Err(error) = tokio::fs::create_dir_all(folder).await
        {
            let problem = format!("it cannot be made: {error}");
            return Err(StoreError::Location {
                location: location.to_string(),
                problem,
            });
        }
        Store::open(&location).await
    }

    async fn copy_with_retries(
        &self,
        folder: &StoreKey,
        target: &Store,
        path: &str,
    ) -> Result<(), StoreError> {
        let (from, to) = (folder.join(path)?, StoreKey::root().join(path)?);
        let mut delays = Backoff::new().take(REPETITIONS);
        loop {
            let copied = self.copy_once(&from, target, &to).await;
            match (copied, delays.next()) {
                (Err(error), Some(delay)) => {
                    self.tell(path, &error);
                    sleep(delay).await;
                }
                (copied, _) => return copied,
            }
        }
    }

    fn tell(&self, path: &str, error: &StoreError) {
        let error = error as &dyn std::error::Error;
        tracing::warn!(pipeline.name = %self.pipeline, error, "copying {path} to the egress URL failed; trying again");
    }

    /// Copies by way of a temporary file, because `adopt` moves its source.
    async fn copy_once(
        &self,
        from: &StoreKey,
        target: &Store,
        to: &StoreKey,
    ) -> Result<(), StoreError> {
        let copy = self.scratch.join("egress");
        let _ = tokio::fs::remove_file(&copy).await;
        self.store.download(from, &copy).await?;
        target.adopt(&copy, to).await
    }
}

/// The files below `folder`, listed on a blocking thread; none if the folder is missing.
fn list(store: Store, folder: StoreKey) -> mpsc::Receiver<Result<Entry, StoreError>> {
    let (sender, files) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || match store.walk(&folder) {
        Ok(mut walk) => {
            // The receiver is gone once copying has failed.
            let _ = walk.try_for_each(|entry| sender.blocking_send(entry));
        }
        Err(StoreError::Missing { .. }) => {}
        Err(error) => {
            let _ = sender.blocking_send(Err(error));
        }
    });
    files
}
