//! The subscription to a pipeline's datums. AMQP cannot change the prefetch of a consumer, so a change of the prefetch
//! replaces the consumer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use drover_shared::id::PipelineName;
use drover_shared::queue::{Broker, Consumer, Delivery, Queue, QueueError};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::consume::prefetch::{Prefetch, SeenWindow, WINDOW};
use crate::context::WorkerContext;
use crate::slots::SlotLoad;

/// The subscription to the datums of one pipeline.
pub(crate) struct Subscription {
    pipeline: PipelineName,
    prefetch: Prefetch,
    /// None while nothing is consumed.
    consumer: Option<Box<dyn Consumer>>,
    handle: Arc<ConsumerHandle>,
    load: watch::Receiver<SlotLoad>,
    /// Turns at the slots that had ended at the last window.
    turns: u64,
}

/// The consumer that delivered a message, as far as the message has to know of it.
#[derive(Debug)]
pub(crate) struct ConsumerHandle {
    /// Limits the pipeline's datums that are staged, running or committing at the same time.
    pub(crate) admission: Arc<Semaphore>,
    /// Cancelled once the consumer is stopped. A message that is handed back before would be redelivered at once.
    pub(crate) closed: CancellationToken,
    /// Cancelled when messages whose datums have not begun must be handed back.
    pub(crate) recalled: CancellationToken,
    /// Cancelled when messages whose datums wait for a slot must be handed back, too.
    pub(crate) recalled_staged: CancellationToken,
    /// Messages that were acked in the current window.
    done: AtomicU64,
    /// The tasks that process the consumer's messages.
    tracker: TaskTracker,
}

impl ConsumerHandle {
    fn new(admission: Arc<Semaphore>) -> Arc<Self> {
        Arc::new(Self {
            admission,
            closed: CancellationToken::new(),
            recalled: CancellationToken::new(),
            recalled_staged: CancellationToken::new(),
            done: AtomicU64::new(0),
            tracker: TaskTracker::new(),
        })
    }

    /// Counts an acked message.
    pub(crate) fn count(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Tracks `work` on one message of the consumer.
    pub(crate) fn track<T>(&self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        self.tracker.track_future(work)
    }
}

impl Subscription {
    /// Starts to consume the datums of `pipeline`.
    pub(crate) async fn open(
        pipeline: &PipelineName,
        context: &WorkerContext,
    ) -> Result<Self, QueueError> {
        let prefetch = Prefetch::Usual;
        let admission = usize::from(prefetch.messages(&context.settings));
        let load = context.slots.load();
        let turns = load.borrow().ended;
        Ok(Self {
            pipeline: pipeline.clone(),
            prefetch,
            consumer: Some(consume(pipeline, prefetch, context).await?),
            handle: ConsumerHandle::new(Arc::new(Semaphore::new(admission))),
            load,
            turns,
        })
    }

    /// The handle for the messages that arrive from now on.
    pub(crate) fn handle(&self) -> &Arc<ConsumerHandle> {
        &self.handle
    }

    /// The next message; none once a slot is free while nothing is consumed. If the broker lost the pipeline's queues, they are
    /// declared again; the pipeline's leader then publishes the remaining datums. Cancel-safe.
    pub(crate) async fn next(
        &mut self,
        broker: &dyn Broker,
    ) -> Result<Option<Delivery>, QueueError> {
        let Some(consumer) = &mut self.consumer else {
            // The slots live as long as the worker.
            let _ = self.load.wait_for(|load| load.free > 0).await;
            return Ok(None);
        };
        loop {
            match consumer.next().await {
                Err(QueueError::Missing { queue }) => {
                    tracing::warn!("the broker has lost {queue}; declaring it again");
                    broker.declare(&self.pipeline).await?;
                }
                other => return other.map(Some),
            }
        }
    }

    /// Adapts the prefetch; called once a [window](crate::consume::prefetch::WINDOW), and when a slot comes free while
    /// nothing is consumed.
    pub(crate) async fn adapt(&mut self, context: &Arc<WorkerContext>) {
        let prefetch = self.prefetch.next(self.seen(context));
        if prefetch == self.prefetch {
            return;
        }
        if prefetch == Prefetch::Nothing {
            return self.switch_to(None, prefetch, context);
        }
        let consumer = consume(&self.pipeline, prefetch, context);
        match context.tokens.soft.run_until_cancelled(consumer).await {
            Some(Ok(consumer)) => self.switch_to(Some(consumer), prefetch, context),
            Some(Err(error)) => {
                tracing::debug!("the prefetch stays as it is: {error}");
                if self.consumer.is_none() {
                    context.tokens.soft.run_until_cancelled(sleep(WINDOW)).await;
                }
            }
            None => {}
        }
    }

    fn seen(&mut self, context: &WorkerContext) -> SeenWindow {
        let load = *self.load.borrow_and_update();
        let before = std::mem::replace(&mut self.turns, load.ended);
        let is_shared = context.roster.len() > 1;
        SeenWindow {
            done: self.handle.done.swap(0, Ordering::Relaxed),
            slots: context.settings.slots.get(),
            is_long: context.pace.is_long(self.prefetch == Prefetch::Running),
            is_busy: load.free == 0,
            is_full: is_shared && load.free == 0 && load.ended == before,
        }
    }

    /// Switches to `consumer`. The former consumer is stopped and kept until its messages are settled. If the prefetch
    /// shrinks, its messages whose datums have not begun are handed back.
    fn switch_to(
        &mut self,
        consumer: Option<Box<dyn Consumer>>,
        prefetch: Prefetch,
        context: &Arc<WorkerContext>,
    ) {
        tracing::debug!("prefetch of {}: {prefetch:?}", self.pipeline);
        self.prefetch = prefetch;
        let Some(former) = std::mem::replace(&mut self.consumer, consumer) else {
            return;
        };
        let next = ConsumerHandle::new(Arc::clone(&self.handle.admission));
        let handle = std::mem::replace(&mut self.handle, next);
        let retiring = retire(former, handle, prefetch, Arc::clone(context));
        context.tokens.tracker.spawn(retiring.in_current_span());
    }

    /// Stops the consumer.
    pub(crate) async fn close(&mut self, context: &WorkerContext) -> Result<(), QueueError> {
        match &mut self.consumer {
            Some(consumer) => close(&mut **consumer, &self.handle, context).await,
            None => Ok(()),
        }
    }

    /// Waits until the messages of the consumer are settled.
    pub(crate) async fn settled(&mut self) {
        self.handle.tracker.close();
        self.handle.tracker.wait().await;
    }
}

/// Ends a consumer after its replacement by a consumer with the given `prefetch`.
async fn retire(
    mut former: Box<dyn Consumer>,
    handle: Arc<ConsumerHandle>,
    prefetch: Prefetch,
    context: Arc<WorkerContext>,
) {
    if let Err(error) = close(&mut *former, &handle, &context).await {
        tracing::debug!("the former consumer could not be stopped: {error}");
    }
    match prefetch {
        Prefetch::Nothing | Prefetch::Running => {
            handle.recalled.cancel();
            handle.recalled_staged.cancel();
        }
        Prefetch::Usual => handle.recalled.cancel(),
        Prefetch::Further => {}
    }
    handle.tracker.close();
    handle.tracker.wait().await;
}

async fn close(
    consumer: &mut dyn Consumer,
    handle: &ConsumerHandle,
    context: &WorkerContext,
) -> Result<(), QueueError> {
    let stopped = context.unless_cut_short(consumer.stop()).await;
    handle.closed.cancel();
    stopped.unwrap_or(Ok(()))
}

async fn consume(
    pipeline: &PipelineName,
    prefetch: Prefetch,
    context: &WorkerContext,
) -> Result<Box<dyn Consumer>, QueueError> {
    let queue = Queue::Datums(pipeline.clone());
    let messages = prefetch.messages(&context.settings);
    context.broker.consume(&queue, messages).await
}
