//! The subscription to a pipeline's datums. AMQP cannot change the prefetch of a consumer, so a change of the prefetch
//! replaces the consumer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use drover_shared::id::PipelineName;
use drover_shared::queue::{Broker, Consumer, Delivery, Queue, QueueError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::consume::prefetch::Prefetch;
use crate::context::WorkerContext;

/// The subscription to the datums of one pipeline.
pub(crate) struct Subscription {
    pipeline: PipelineName,
    prefetch: Prefetch,
    consumer: Box<dyn Consumer>,
    handle: Arc<ConsumerHandle>,
}

/// The consumer that delivered a message, as far as the message has to know of it.
#[derive(Debug, Default)]
pub(crate) struct ConsumerHandle {
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
        Ok(Self {
            pipeline: pipeline.clone(),
            prefetch,
            consumer: consume(pipeline, prefetch, context).await?,
            handle: Arc::default(),
        })
    }

    /// The handle for the messages that arrive from now on.
    pub(crate) fn handle(&self) -> &Arc<ConsumerHandle> {
        &self.handle
    }

    /// The next message. If the broker lost the pipeline's queues, they are declared again; the pipeline's leader then
    /// publishes the remaining datums. Cancel-safe.
    pub(crate) async fn next(&mut self, broker: &dyn Broker) -> Result<Delivery, QueueError> {
        loop {
            match self.consumer.next().await {
                Err(QueueError::Missing { queue }) => {
                    tracing::warn!("the broker has lost {queue}; declaring it again");
                    broker.declare(&self.pipeline).await?;
                }
                other => return other,
            }
        }
    }

    /// Adapts the prefetch; called once a [window](crate::consume::prefetch::WINDOW).
    pub(crate) async fn adapt(&mut self, context: &Arc<WorkerContext>) {
        let done = self.handle.done.swap(0, Ordering::Relaxed);
        let is_long = context.pace.is_long(self.prefetch == Prefetch::Running);
        let slots = context.settings.slots.get();
        let prefetch = self.prefetch.next(done, slots, is_long);
        if prefetch == self.prefetch {
            return;
        }
        let consumer = consume(&self.pipeline, prefetch, context);
        match context.tokens.soft.run_until_cancelled(consumer).await {
            Some(Ok(consumer)) => self.switch_to(consumer, prefetch, context),
            Some(Err(error)) => tracing::debug!("the prefetch stays as it is: {error}"),
            None => {}
        }
    }

    /// Switches to `consumer`. The former consumer is stopped and kept until its messages are settled. If the prefetch
    /// shrinks, its messages whose datums have not begun are handed back.
    fn switch_to(
        &mut self,
        consumer: Box<dyn Consumer>,
        prefetch: Prefetch,
        context: &Arc<WorkerContext>,
    ) {
        tracing::debug!("prefetch of {}: {prefetch:?}", self.pipeline);
        let former = std::mem::replace(&mut self.consumer, consumer);
        let handle = std::mem::take(&mut self.handle);
        self.prefetch = prefetch;
        let retiring = retire(former, handle, prefetch, Arc::clone(context));
        context.tokens.tracker.spawn(retiring.in_current_span());
    }

    /// Stops the consumer.
    pub(crate) async fn close(&mut self, context: &WorkerContext) -> Result<(), QueueError> {
        close(&mut *self.consumer, &self.handle, context).await
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
        Prefetch::Running => {
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
