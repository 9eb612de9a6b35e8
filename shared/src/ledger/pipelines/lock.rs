//! The locks of a pipeline: one job at a time on one machine, and one writer of the output folder.
//!
//! The lock is an `flock` on a file, so the kernel releases the lock when the process ends in any way. Buckets have no
//! locks: there the leadership of the pipeline's queue guards the pipeline, and this lock is always free.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::id::PipelineName;
use crate::ledger::Ledger;
use crate::store::{StoreError, StoreKey, layout};

/// Interval between attempts to acquire a lock held by another process.
const RETRY: Duration = Duration::from_millis(200);

/// A pipeline's lock; dropping the value releases the lock.
#[derive(Debug)]
pub struct PipelineLock {
    _file: Option<File>,
}

impl Ledger {
    /// Acquires the pipeline's lock, if the lock is free.
    pub async fn try_lock(
        &self,
        pipeline: &PipelineName,
    ) -> Result<Option<PipelineLock>, StoreError> {
        self.try_lock_at(&layout::lock(pipeline)).await
    }

    async fn try_lock_at(&self, key: &StoreKey) -> Result<Option<PipelineLock>, StoreError> {
        match self.store.local_path(key) {
            None => Ok(Some(PipelineLock { _file: None })),
            Some(path) => {
                let file =
                    open_and_lock(key, path, FlockOperation::NonBlockingLockExclusive).await?;
                Ok(file.map(|file| PipelineLock { _file: Some(file) }))
            }
        }
    }

    /// Acquires the lock on the pipeline's output folder, if the lock is free. `who` identifies the holder for people.
    ///
    /// The holder may freeze for any time, and still be the only process that changes the folder.
    pub async fn try_lock_output(
        &self,
        pipeline: &PipelineName,
        who: &str,
    ) -> Result<Option<PipelineLock>, StoreError> {
        let key = layout::output_lock(pipeline);
        let lock = self.try_lock_at(&key).await?;
        if let Some(PipelineLock { _file: Some(file) }) = &lock {
            let (mut file, who) = (file.try_clone(), who.to_owned());
            let noted = spawn_blocking(move || {
                let file = file
                    .as_mut()
                    .map_err(|error| std::io::Error::from(error.kind()))?;
                file.set_len(0)?;
                file.write_all(who.as_bytes())
            });
            let noted = noted.await.map_err(std::io::Error::other).flatten();
            noted.map_err(|error| lock_error(&key, error))?;
        }
        Ok(lock)
    }

    /// The last holder of the lock on the pipeline's output folder; empty if unknown.
    pub async fn output_lock_holder(&self, pipeline: &PipelineName) -> String {
        let holder = self.store.get(&layout::output_lock(pipeline)).await;
        holder.map_or_else(
            |_| String::new(),
            |holder| String::from_utf8_lossy(&holder).into_owned(),
        )
    }

    /// Acquires the pipeline's lock, waiting while another process holds the lock. Cancel-safe.
    pub async fn lock(&self, pipeline: &PipelineName) -> Result<PipelineLock, StoreError> {
        loop {
            if let Some(lock) = self.try_lock(pipeline).await? {
                return Ok(lock);
            }
            sleep(RETRY).await;
        }
    }

    /// True if a job of the pipeline runs on the local machine; none if the store cannot tell.
    pub async fn is_locked(&self, pipeline: &PipelineName) -> Result<Option<bool>, StoreError> {
        let key = layout::lock(pipeline);
        match self.store.local_path(&key) {
            None => Ok(None),
            // A shared lock, so readers do not see each other.
            Some(path) => {
                match open_and_lock(&key, path, FlockOperation::NonBlockingLockShared).await {
                    Ok(taken) => Ok(Some(taken.is_none())),
                    Err(StoreError::Missing { .. }) => Ok(Some(false)),
                    Err(error) => Err(error),
                }
            }
        }
    }
}

/// Opens and locks the file at `path`; none if another process holds the lock. A reader does not create the file.
async fn open_and_lock(
    key: &StoreKey,
    path: PathBuf,
    how: FlockOperation,
) -> Result<Option<File>, StoreError> {
    let opened = spawn_blocking(move || {
        if how == FlockOperation::NonBlockingLockShared {
            return File::open(path);
        }
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        File::options().create(true).append(true).open(path)
    });
    let file = opened.await.map_err(std::io::Error::other).flatten();
    let file = file.map_err(|error| lock_error(key, error))?;
    match flock(&file, how) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(lock_error(key, error.into())),
    }
}

fn lock_error(key: &StoreKey, error: std::io::Error) -> StoreError {
    use std::io::ErrorKind::{
        InvalidInput, IsADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem,
    };
    let key = key.clone();
    match error.kind() {
        NotFound => StoreError::Missing { key },
        // A directory or a device is in the place of the file, and stays there whatever the wait.
        IsADirectory | InvalidInput => StoreError::Corrupt {
            key,
            advice: "it is no file; remove it while no other process of Drover runs on the store",
            source: error.into(),
        },
        PermissionDenied | ReadOnlyFilesystem => StoreError::Denied {
            key,
            source: error.into(),
        },
        _ => StoreError::Unavailable {
            key,
            source: error.into(),
        },
    }
}
