//! A broker for tests: records all calls, and can lose its connection.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use drover_shared::id::PipelineName;
use drover_shared::queue::{Broker, Consumer, Delivery, Depth, Link, Queue, QueueError};
use tokio::sync::Notify;

/// A broker whose consumers lose their channel whenever a test says so, and go on with another, as those of a
/// broker over the network do.
#[derive(Clone)]
pub(crate) struct Breaking {
    inner: Arc<dyn Broker>,
    pub(crate) breaks: Arc<Notify>,
    pub(crate) broken: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<u16>>>,
    sought: Arc<AtomicUsize>,
}

impl Breaking {
    pub(crate) fn around(broker: &Arc<dyn Broker>) -> Self {
        Self {
            inner: Arc::clone(broker),
            breaks: Arc::default(),
            broken: Arc::default(),
            asked: Arc::default(),
            sought: Arc::default(),
        }
    }

    /// How many messages consumers wanted to hold, in the order in which they came.
    pub(crate) fn asked(&self) -> Vec<u16> {
        self.asked.lock().unwrap().clone()
    }

    /// How often a listener was looked for.
    pub(crate) fn sought(&self) -> usize {
        self.sought.load(Ordering::Relaxed)
    }
}

struct BreakingConsumer {
    consumer: Option<Box<dyn Consumer>>,
    queue: Queue,
    prefetch: u16,
    broker: Breaking,
}

#[async_trait]
impl Consumer for BreakingConsumer {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        loop {
            let Some(consumer) = &mut self.consumer else {
                let again = self.broker.inner.consume(&self.queue, self.prefetch);
                self.consumer = Some(again.await?);
                self.broker.broken.store(true, Ordering::Relaxed);
                continue;
            };
            tokio::select! {
                delivery = consumer.next() => return delivery,
                () = self.broker.breaks.notified() => self.consumer = None,
            }
        }
    }

    async fn stop(&mut self) -> Result<(), QueueError> {
        match &mut self.consumer {
            Some(consumer) => consumer.stop().await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Broker for Breaking {
    async fn declare(&self, pipeline: &PipelineName) -> Result<(), QueueError> {
        self.inner.declare(pipeline).await
    }

    async fn publish(&self, queue: &Queue, body: Bytes) -> Result<(), QueueError> {
        self.inner.publish(queue, body).await
    }

    async fn consume(&self, queue: &Queue, prefetch: u16) -> Result<Box<dyn Consumer>, QueueError> {
        self.asked.lock().unwrap().push(prefetch);
        Ok(Box::new(BreakingConsumer {
            consumer: Some(self.inner.consume(queue, prefetch).await?),
            queue: queue.clone(),
            prefetch,
            broker: self.clone(),
        }))
    }

    async fn purge(&self, queue: &Queue) -> Result<u64, QueueError> {
        self.inner.purge(queue).await
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, QueueError> {
        self.inner.depth(queue).await
    }

    async fn broadcast(&self, body: Bytes) -> Result<(), QueueError> {
        self.inner.broadcast(body).await
    }

    async fn listen(&self, name: &str) -> Result<Box<dyn Consumer>, QueueError> {
        self.inner.listen(name).await
    }

    async fn is_listening(&self, name: &str) -> Result<bool, QueueError> {
        self.sought.fetch_add(1, Ordering::Relaxed);
        self.inner.is_listening(name).await
    }

    fn link(&self) -> Link {
        self.inner.link()
    }
}
