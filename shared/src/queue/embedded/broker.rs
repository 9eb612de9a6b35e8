//! The embedded broker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use bytes::Bytes;

use super::backlog::Backlog;
use super::consumer::EmbeddedConsumer;
use crate::id::PipelineName;
use crate::queue::{Broker, Consumer, Depth, Link, Queue, QueueError};

/// A broker inside one process, with bounded memory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Embedded {
    capacity: usize,
    queues: Arc<Mutex<HashMap<Queue, Arc<Backlog>>>>,
    listeners: Listeners,
}

/// Control subscriptions by name.
type Listeners = Arc<Mutex<Vec<(String, Weak<Backlog>)>>>;

impl Embedded {
    /// A broker whose queues hold at most `capacity` ready messages each; publishing waits beyond the limit. Requeued
    /// messages and dead letters are always accepted.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            queues: Arc::default(),
            listeners: Arc::default(),
        }
    }

    fn backlog(&self, queue: &Queue) -> Result<Arc<Backlog>, QueueError> {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues
            .get(queue)
            .cloned()
            .ok_or_else(|| QueueError::Missing {
                queue: queue.clone(),
            })
    }
}

#[async_trait]
impl Broker for Embedded {
    async fn declare(&self, pipeline: &PipelineName) -> Result<(), QueueError> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let dead = queues
            .entry(Queue::Dead(pipeline.clone()))
            .or_insert_with(|| Arc::new(Backlog::new(usize::MAX, None)));
        let dead = Arc::clone(dead);
        let backlog = || Backlog::new(self.capacity, Some(Arc::clone(&dead)));
        queues
            .entry(Queue::Datums(pipeline.clone()))
            .or_insert_with(|| Arc::new(backlog()));
        queues
            .entry(Queue::Reports(pipeline.clone()))
            .or_insert_with(|| Arc::new(backlog().single_active_consumer()));
        Ok(())
    }

    async fn publish(&self, queue: &Queue, body: Bytes) -> Result<(), QueueError> {
        self.backlog(queue)?.push(body).await;
        Ok(())
    }

    async fn consume(&self, queue: &Queue, prefetch: u16) -> Result<Box<dyn Consumer>, QueueError> {
        Ok(Box::new(EmbeddedConsumer::new(
            self.backlog(queue)?,
            prefetch,
        )))
    }

    async fn purge(&self, queue: &Queue) -> Result<u64, QueueError> {
        Ok(self.backlog(queue)?.purge())
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, QueueError> {
        Ok(self.backlog(queue)?.depth())
    }

    async fn broadcast(&self, body: Bytes) -> Result<(), QueueError> {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|(_, listener)| match listener.upgrade() {
            Some(backlog) => {
                backlog.push_unbounded(body.clone());
                true
            }
            None => false,
        });
        Ok(())
    }

    async fn listen(&self, name: &str) -> Result<Box<dyn Consumer>, QueueError> {
        let backlog = Arc::new(Backlog::new(self.capacity, None));
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.push((name.to_owned(), Arc::downgrade(&backlog)));
        Ok(Box::new(EmbeddedConsumer::new(backlog, u16::MAX)))
    }

    async fn is_listening(&self, name: &str) -> Result<bool, QueueError> {
        let listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut live = listeners.iter().filter(|(_, it)| it.strong_count() > 0);
        Ok(live.any(|(listener, _)| listener == name))
    }

    fn link(&self) -> Link {
        Link::Up
    }
}
