//! Where the messages of a pipeline come from: one consumer at a time, another one when they are to be fetched further
//! ahead, or less far.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use drover_shared::id::PipelineName;
use drover_shared::queue::{Broker, Consumer, Delivery, Queue, QueueError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::consume::prefetch::Prefetch;
use crate::context::Tools;

/// Where the messages of a pipeline come from.
pub(crate) struct Intake {
    pipeline: PipelineName,
    prefetch: Prefetch,
    consumer: Box<dyn Consumer>,
    origin: Arc<Origin>,
}

/// What the messages of one consumer have in common.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    /// Cancelled once the consumer takes no more: what is handed back before would come again at once.
    pub(crate) closed: CancellationToken,
    /// Cancelled when messages of which nothing has begun are to go back.
    pub(crate) recalled: CancellationToken,
    /// Messages that were done since this was asked last.
    done: AtomicU64,
    /// Who works on them.
    tracker: TaskTracker,
}

impl Origin {
    /// A message of this consumer was done.
    pub(crate) fn count(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Does `work` on one of its messages.
    pub(crate) fn track<T>(&self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        self.tracker.track_future(work)
    }
}

impl Intake {
    /// Begins to take the messages of `pipeline`.
    pub(crate) async fn open(pipeline: &PipelineName, tools: &Tools) -> Result<Self, QueueError> {
        let prefetch = Prefetch::Usual;
        Ok(Self {
            pipeline: pipeline.clone(),
            prefetch,
            consumer: consume(pipeline, prefetch, tools).await?,
            origin: Arc::default(),
        })
    }

    /// What the messages that come now have in common.
    pub(crate) fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// The next message. A broker that came back without the pipeline's queues is given them anew: whoever coordinates
    /// the pipeline publishes what is left to do, but not to workers that are gone. Cancel-safe.
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

    /// Decides anew how far ahead messages are fetched, after a [window](crate::consume::prefetch::WINDOW).
    pub(crate) async fn adapt(&mut self, tools: &Arc<Tools>) {
        let done = self.origin.done.swap(0, Ordering::Relaxed);
        let wanted = self.prefetch.after(done, tools.settings.slots.get());
        if wanted == self.prefetch {
            return;
        }
        let consumer = consume(&self.pipeline, wanted, tools);
        match tools.tokens.soft.run_until_cancelled(consumer).await {
            Some(Ok(consumer)) => self.go_on_with(consumer, wanted, tools),
            Some(Err(error)) => tracing::debug!("messages are fetched as before: {error}"),
            None => {}
        }
    }

    /// From now on takes messages from `consumer`. The one before takes no more, and stays until what it brought is
    /// answered; of that goes back what has not begun, if fewer are to be held.
    fn go_on_with(&mut self, consumer: Box<dyn Consumer>, prefetch: Prefetch, tools: &Arc<Tools>) {
        tracing::debug!(
            "messages of {} are fetched now: {prefetch:?}",
            self.pipeline
        );
        let former = std::mem::replace(&mut self.consumer, consumer);
        let origin = std::mem::take(&mut self.origin);
        self.prefetch = prefetch;
        let retiring = retire(former, origin, prefetch, Arc::clone(tools));
        tools.tokens.tracker.spawn(retiring.in_current_span());
    }

    /// Takes no more.
    pub(crate) async fn close(&mut self, tools: &Tools) -> Result<(), QueueError> {
        close(&mut *self.consumer, &self.origin, tools).await
    }
}

/// Ends a consumer that another one has taken over from, to hold as many messages as `prefetch` says.
async fn retire(
    mut former: Box<dyn Consumer>,
    origin: Arc<Origin>,
    prefetch: Prefetch,
    tools: Arc<Tools>,
) {
    if let Err(error) = close(&mut *former, &origin, &tools).await {
        tracing::debug!("a consumer was not stopped in good order: {error}");
    }
    if prefetch == Prefetch::Usual {
        origin.recalled.cancel();
    }
    origin.tracker.close();
    origin.tracker.wait().await;
}

async fn close(
    consumer: &mut dyn Consumer,
    origin: &Origin,
    tools: &Tools,
) -> Result<(), QueueError> {
    let stopped = tools.unless_cut_short(consumer.stop()).await;
    origin.closed.cancel();
    stopped.unwrap_or(Ok(()))
}

async fn consume(
    pipeline: &PipelineName,
    prefetch: Prefetch,
    tools: &Tools,
) -> Result<Box<dyn Consumer>, QueueError> {
    let queue = Queue::Datums(pipeline.clone());
    let messages = prefetch.messages(&tools.settings);
    tools.broker.consume(&queue, messages).await
}
