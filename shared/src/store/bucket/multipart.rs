//! A multipart upload, which is aborted if it cannot be completed.

use std::mem;

use bytes::Bytes;
use object_store::{MultipartUpload, PutPayload, Result};
use tokio::task::JoinSet;

/// Parts in flight at the same time, which bounds the memory of an upload.
const AT_ONCE: usize = 4;

/// Cuts its input into parts of one size (the last part may be smaller) and uploads the parts.
pub(super) struct MultipartParts {
    upload: Box<dyn MultipartUpload>,
    part_bytes: usize,
    /// Bytes that do not fill a part yet, and their number.
    waiting: (Vec<Bytes>, usize),
    in_flight: JoinSet<Result<()>>,
}

impl MultipartParts {
    pub(super) fn of(upload: Box<dyn MultipartUpload>, part_bytes: usize) -> Self {
        Self {
            upload,
            part_bytes,
            waiting: Default::default(),
            in_flight: JoinSet::new(),
        }
    }

    /// Sends bytes once the current part has room.
    pub(super) async fn send(&mut self, mut bytes: Bytes) -> Result<()> {
        while !bytes.is_empty() {
            let room = self.part_bytes - self.waiting.1;
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
        self.upload.complete().await.map(drop)
    }

    /// Aborts the upload after waiting for the parts in flight: a part that arrived later would stay for ever.
    pub(super) async fn abort(mut self) -> Result<()> {
        while self.in_flight.join_next().await.is_some() {}
        self.upload.abort().await
    }

    async fn send_part(&mut self) -> Result<()> {
        self.wait_until_in_flight(AT_ONCE - 1).await?;
        let (part, _) = mem::take(&mut self.waiting);
        let sent = self.upload.put_part(PutPayload::from_iter(part));
        self.in_flight.spawn(sent);
        Ok(())
    }

    /// Waits until at most this many parts are in flight.
    async fn wait_until_in_flight(&mut self, all_but: usize) -> Result<()> {
        while self.in_flight.len() > all_but
            && let Some(arrived) = self.in_flight.join_next().await
        {
            arrived??;
        }
        Ok(())
    }
}
