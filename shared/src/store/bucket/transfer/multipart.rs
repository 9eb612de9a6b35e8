//! A multipart upload, which is aborted if it cannot be completed, and also if its caller is cancelled.

use std::mem;

use bytes::Bytes;
use object_store::{MultipartUpload, PutPayload, Result};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::store::bucket::transfer_memory::{MemoryShare, TransferMemory};

/// Parts in flight at the same time, which bounds the memory of an upload.
const AT_ONCE: usize = 4;

/// Cuts its input into parts of one size (the last part may be smaller) and uploads the parts.
pub(super) struct MultipartParts {
    /// None once the upload is completed or aborted.
    upload: Option<Box<dyn MultipartUpload>>,
    part_bytes: usize,
    /// Bytes of an incomplete part, and their number.
    waiting: (Vec<Bytes>, usize),
    /// The memory of the incomplete part, from its first byte on.
    share: Option<MemoryShare>,
    memory: TransferMemory,
    in_flight: JoinSet<Result<()>>,
}

impl MultipartParts {
    pub(super) fn of(
        upload: Box<dyn MultipartUpload>,
        part_bytes: usize,
        memory: TransferMemory,
    ) -> Self {
        Self {
            upload: Some(upload),
            part_bytes,
            waiting: Default::default(),
            share: None,
            memory,
            in_flight: JoinSet::new(),
        }
    }

    /// Waits for the memory of the current part; returns the number of bytes that the part has room for.
    pub(super) async fn room(&mut self) -> usize {
        if self.share.is_none() {
            self.share = Some(self.memory.share(self.part_bytes as u64).await);
        }
        self.part_bytes - self.waiting.1
    }

    /// Sends bytes once the current part has room.
    pub(super) async fn send(&mut self, mut bytes: Bytes) -> Result<()> {
        while !bytes.is_empty() {
            let room = self.room().await;
            let some = bytes.split_to(room.min(bytes.len()));
            self.waiting.1 += some.len();
            self.waiting.0.push(some);
            if self.waiting.1 == self.part_bytes {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    /// Completes the upload. The object may exist although this fails: only the answer may have been lost.
    pub(super) async fn complete(&mut self) -> Result<()> {
        if self.waiting.1 > 0 {
            self.send_part().await?;
        }
        self.wait_until_in_flight(0).await?;
        if let Some(upload) = &mut self.upload {
            upload.complete().await?;
            self.upload = None;
        }
        Ok(())
    }

    /// Keeps a completed upload whose answer was lost.
    pub(super) fn keep(mut self) {
        self.upload = None;
    }

    /// Aborts the upload after waiting for the parts in flight: a part that arrived later would stay for ever.
    pub(super) async fn abort(mut self) -> Result<()> {
        match self.upload.take() {
            Some(upload) => abort(upload, mem::take(&mut self.in_flight)).await,
            None => Ok(()),
        }
    }

    async fn send_part(&mut self) -> Result<()> {
        self.wait_until_in_flight(AT_ONCE - 1).await?;
        let (part, _) = mem::take(&mut self.waiting);
        let share = self.share.take();
        if let Some(upload) = &mut self.upload {
            let sent = upload.put_part(PutPayload::from_iter(part));
            self.in_flight.spawn(async move {
                let sent = sent.await;
                drop(share);
                sent
            });
        }
        Ok(())
    }

    /// Waits until at most so many parts are in flight.
    async fn wait_until_in_flight(&mut self, all_but: usize) -> Result<()> {
        while self.in_flight.len() > all_but
            && let Some(arrived) = self.in_flight.join_next().await
        {
            arrived??;
        }
        Ok(())
    }
}

/// Aborts an upload whose caller was cancelled: another file of the same output failed, or the job was stopped.
impl Drop for MultipartParts {
    fn drop(&mut self) {
        let (Some(upload), Ok(runtime)) = (self.upload.take(), Handle::try_current()) else {
            return;
        };
        let in_flight = mem::take(&mut self.in_flight);
        runtime.spawn(async move {
            if let Err(error) = abort(upload, in_flight).await {
                tracing::warn!(
                    "a cancelled multipart upload could not be aborted, its parts remain: {error}"
                );
            }
        });
    }
}

async fn abort(
    mut upload: Box<dyn MultipartUpload>,
    mut in_flight: JoinSet<Result<()>>,
) -> Result<()> {
    while in_flight.join_next().await.is_some() {}
    upload.abort().await
}
