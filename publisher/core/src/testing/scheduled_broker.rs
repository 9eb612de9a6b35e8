//! A broker of a simulated process, with a scheduling point in every call.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use drover_shared::id::PipelineName;
use drover_shared::queue::{Broker, Consumer, Delivery, Depth, Embedded, Link, Queue, QueueError};
use drover_shared::store::testing::scheduled::Scheduler;

/// The queues of several simulated processes, with the delays of one process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ScheduledBroker {
    queues: Arc<Embedded>,
    scheduler: Scheduler,
}

impl ScheduledBroker {
    /// The queues for the process with the schedule.
    pub(crate) fn new(queues: &Arc<Embedded>, scheduler: Scheduler) -> Self {
        Self {
            queues: Arc::clone(queues),
            scheduler,
        }
    }

    fn consumer(&self, inner: Box<dyn Consumer>) -> Box<dyn Consumer> {
        Box::new(ScheduledConsumer {
            inner,
            arrived: None,
            scheduler: self.scheduler.clone(),
        })
    }
}

/// A consumer whose deliveries are on the way for a while.
struct ScheduledConsumer {
    inner: Box<dyn Consumer>,
    /// Stays if the call is cancelled.
    arrived: Option<Delivery>,
    scheduler: Scheduler,
}

#[async_trait]
impl Consumer for ScheduledConsumer {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        loop {
            if let Some(delivery) = self.arrived.take() {
                return Ok(delivery);
            }
            self.arrived = Some(self.inner.next().await?);
            self.scheduler.point().await;
        }
    }

    async fn stop(&mut self) -> Result<(), QueueError> {
        self.scheduler.point().await;
        self.inner.stop().await
    }
}

#[async_trait]
impl Broker for ScheduledBroker {
    async fn declare(&self, pipeline: &PipelineName) -> Result<(), QueueError> {
        self.scheduler.request(self.queues.declare(pipeline)).await
    }

    async fn publish(&self, queue: &Queue, body: Bytes) -> Result<(), QueueError> {
        self.scheduler
            .request(self.queues.publish(queue, body))
            .await
    }

    async fn consume(&self, queue: &Queue, prefetch: u16) -> Result<Box<dyn Consumer>, QueueError> {
        let consumer = self
            .scheduler
            .request(self.queues.consume(queue, prefetch))
            .await?;
        Ok(self.consumer(consumer))
    }

    async fn purge(&self, queue: &Queue) -> Result<u64, QueueError> {
        self.scheduler.request(self.queues.purge(queue)).await
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, QueueError> {
        self.scheduler.request(self.queues.depth(queue)).await
    }

    async fn broadcast(&self, body: Bytes) -> Result<(), QueueError> {
        self.scheduler.request(self.queues.broadcast(body)).await
    }

    async fn listen(&self, name: &str) -> Result<Box<dyn Consumer>, QueueError> {
        let consumer = self.scheduler.request(self.queues.listen(name)).await?;
        Ok(self.consumer(consumer))
    }

    async fn is_listening(&self, name: &str) -> Result<bool, QueueError> {
        self.scheduler.request(self.queues.is_listening(name)).await
    }

    fn link(&self) -> Link {
        self.queues.link()
    }
}
