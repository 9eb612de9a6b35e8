//! The worker: takes messages as long as it has room, and ends without losing any.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use drover_shared::id::PipelineName;
use drover_shared::ledger::Ledger;
use drover_shared::process::Tokens;
use drover_shared::queue::{Broker, Consumer, Delivery, Queue, QueueError};
use futures::FutureExt;
use futures::future::join_all;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::claim::work_off;
use crate::config::Settings;
use crate::control::heed;
use crate::error::WorkError;
use crate::in_hand::InHand;
use crate::job::Jobs;
use crate::patience::Patience;
use crate::reporter::Reporter;
use crate::scratch::Scratch;
use crate::slots::Slots;
use crate::standing::Phase;
use crate::stops::Stops;
use crate::tools::Tools;

/// Works on the datums of `pipelines` until the soft token is cancelled and what runs is finished, or until the
/// hard token is cancelled. `stops` must have been made from the same hard token.
pub async fn work(
    settings: Settings,
    ledger: Ledger,
    broker: Arc<dyn Broker>,
    pipelines: Vec<PipelineName>,
    stops: Stops,
    tokens: Tokens,
) -> Result<(), WorkError> {
    let span = tracing::info_span!("worker", worker.id = %settings.worker);
    // Its own trouble is no reason to end the whole process by itself; that is for whoever called.
    let tokens = tokens.part();
    async {
        let tools = equip(settings, ledger, broker, stops, tokens).await?;
        take_all(&pipelines, &Arc::new(tools)).await
    }
    .instrument(span)
    .await
}

async fn equip(
    settings: Settings,
    ledger: Ledger,
    broker: Arc<dyn Broker>,
    stops: Stops,
    tokens: Tokens,
) -> Result<Tools, WorkError> {
    let scratch = Scratch::make(&settings.scratch, &settings.worker)
        .map(Arc::new)
        .map_err(|source| WorkError::Scratch {
            path: settings.scratch.clone(),
            source,
        })?;
    let slots = Slots::start(&settings, ledger.store(), &scratch)
        .await
        .map_err(|source| WorkError::Runner { source })?;
    Ok(Tools {
        jobs: Jobs::new(
            &ledger,
            stops,
            Arc::clone(&scratch),
            settings.environment.clone(),
        ),
        ledger,
        broker,
        reporter: Reporter::default(),
        scratch,
        slots,
        in_hand: InHand::default(),
        patience: Patience::new(settings.patience),
        in_flight: Semaphore::new(usize::from(settings.prefetch())),
        tokens,
        claims: AtomicU64::new(0),
        settings,
    })
}

/// Takes the messages of all pipelines until it is time to stop, and waits for those in hand.
async fn take_all(pipelines: &[PipelineName], tools: &Arc<Tools>) -> Result<(), WorkError> {
    let lost = |source: QueueError| WorkError::Queue { source };
    let hints = tools.broker.listen(tools.settings.worker.as_str());
    let hints = hints.await.map_err(lost)?;
    let subscriptions = consume(pipelines, tools).await.map_err(lost)?;
    tools.settings.standing.enter(Phase::Taking);
    let Settings { worker, slots, .. } = &tools.settings;
    tracing::info!(
        "worker {worker} takes datums of {}, {slots} at a time",
        listed(pipelines)
    );
    let trouble = Reason::default();
    let takers = subscriptions
        .into_iter()
        .map(|subscription| take(subscription, tools, &trouble));
    let taken = tokio::select! {
        taken = join_all(takers) => taken,
        never = heed(hints, pipelines, tools) => match never {},
    };
    tools.slots.end().await;
    let trouble = trouble
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    taken
        .into_iter()
        .collect::<Result<(), _>>()
        .map_err(lost)
        .and(trouble.map_or(Ok(()), Err))
}

async fn consume(
    pipelines: &[PipelineName],
    tools: &Tools,
) -> Result<Vec<Subscription>, QueueError> {
    let prefetch = tools.settings.prefetch();
    let mut subscriptions = Vec::with_capacity(pipelines.len());
    for pipeline in pipelines {
        let queue = Queue::Datums(pipeline.clone());
        subscriptions.push(Subscription {
            pipeline: pipeline.clone(),
            consumer: tools.broker.consume(&queue, prefetch).await?,
        });
    }
    Ok(subscriptions)
}

/// Where the messages of a pipeline come from.
struct Subscription {
    pipeline: PipelineName,
    consumer: Box<dyn Consumer>,
}

impl Subscription {
    /// The next message. A broker that came back without the pipeline's queues is given them anew: whoever coordinates
    /// the pipeline publishes what is left to do, but not to workers that are gone. Cancel-safe.
    async fn next(&mut self, broker: &dyn Broker) -> Result<Delivery, QueueError> {
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
}

fn listed(pipelines: &[PipelineName]) -> String {
    let names: Vec<_> = pipelines.iter().map(PipelineName::as_str).collect();
    names.join(", ")
}

/// The first reason for this worker to end.
type Reason = Arc<Mutex<Option<WorkError>>>;

/// Takes messages from one queue until it is time to stop, then waits for those in hand.
async fn take(
    mut subscription: Subscription,
    tools: &Arc<Tools>,
    trouble: &Reason,
) -> Result<(), QueueError> {
    let closed = CancellationToken::new();
    let taken = take_until_asked(&mut subscription, &closed, tools, trouble).await;
    tools.settings.standing.enter(Phase::Draining);
    tracing::info!("no more messages are taken; what runs is finished");
    let stopped = match taken {
        Ok(()) => tools
            .unless_cut_short(subscription.consumer.stop())
            .await
            .unwrap_or(Ok(())),
        Err(error) => Err(error),
    };
    closed.cancel();
    if stopped.is_err() {
        tools.tokens.soft.cancel();
    }
    tools.tokens.tracker.close();
    tools.tokens.tracker.wait().await;
    stopped
}

async fn take_until_asked(
    subscription: &mut Subscription,
    closed: &CancellationToken,
    tools: &Arc<Tools>,
    trouble: &Reason,
) -> Result<(), QueueError> {
    loop {
        let delivery = tokio::select! {
            biased;
            () = tools.tokens.soft.cancelled() => return Ok(()),
            delivery = subscription.next(&*tools.broker) => delivery?,
        };
        let tracker = tools.tokens.tracker.clone();
        let (tools, closed, trouble) = (Arc::clone(tools), closed.clone(), Arc::clone(trouble));
        let task = async move {
            let worked = AssertUnwindSafe(work_off(delivery, &closed, &tools)).catch_unwind();
            if let Err(error) = worked.await.unwrap_or(Err(WorkError::Bug)) {
                let mut trouble = trouble.lock().unwrap_or_else(PoisonError::into_inner);
                trouble.get_or_insert(error);
                tools.tokens.soft.cancel();
            }
        };
        tracker.spawn(task.in_current_span());
    }
}
