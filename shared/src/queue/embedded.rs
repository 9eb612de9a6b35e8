//! The queue inside one process.

use async_trait::async_trait;
use bytes::Bytes;

use super::{Broker, Consumer, Queue, QueueError};
use crate::id::PipelineName;

/// A broker inside one process, with bounded memory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Embedded {}

impl Embedded {
    /// A broker whose queues hold at most `capacity` ready messages each; publishing waits beyond that.
    pub fn new(capacity: usize) -> Self {
        todo!("{capacity}")
    }
}

#[async_trait]
impl Broker for Embedded {
    async fn declare(&self, _pipeline: &PipelineName) -> Result<(), QueueError> {
        todo!()
    }
    async fn publish(&self, _queue: &Queue, _body: Bytes) -> Result<(), QueueError> {
        todo!()
    }
    async fn consume(&self, _queue: &Queue, _prefetch: u16) -> Result<Box<dyn Consumer>, QueueError> {
        todo!()
    }
    async fn purge(&self, _queue: &Queue) -> Result<u64, QueueError> {
        todo!()
    }
}
