//! The worker: consumes messages until it is told to drain, and ends without losing a message.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use drover_shared::id::PipelineName;
use drover_shared::ledger::{Ledger, WorkerCapacity};
use drover_shared::process::Tokens;
use drover_shared::queue::{Broker, QueueError};
use drover_shared::units::DecimalSize;
use futures::FutureExt;
use futures::future::join_all;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{MissedTickBehavior, interval};
use tracing::Instrument;

use crate::config::Settings;
use crate::consume::control::listen_for_control;
use crate::consume::message::process_message;
use crate::consume::prefetch::{Prefetch, WINDOW};
use crate::consume::subscription::Subscription;
use crate::context::WorkerContext;
use crate::error::WorkError;
use crate::jobs::{Cancellations, HeldTasks, InFlightDatums, Jobs, LateSegments, Terms};
use crate::pace::DatumPace;
use crate::phase::Phase;
use crate::reporter::Reporter;
use crate::retry_budget::RetryBudget;
use crate::slots::Scratch;
use crate::slots::Slots;

/// Processes the datums of `pipelines`. Returns once the soft token is cancelled and the running datums have ended, or
/// once the hard token is cancelled. `cancellations` must have been made from the same hard token.
pub async fn work(
    settings: Settings,
    ledger: Ledger,
    broker: Arc<dyn Broker>,
    pipelines: Vec<PipelineName>,
    cancellations: Cancellations,
    tokens: Tokens,
) -> Result<(), WorkError> {
    let span = tracing::info_span!("worker", worker.id = %settings.worker);
    // An error of the worker must not end the whole process: the caller decides that.
    let tokens = tokens.child();
    async {
        let context = prepare(settings, ledger, broker, cancellations, tokens).await?;
        consume_all(&pipelines, &Arc::new(context)).await
    }
    .instrument(span)
    .await
}

async fn prepare(
    mut settings: Settings,
    ledger: Ledger,
    broker: Arc<dyn Broker>,
    cancellations: Cancellations,
    tokens: Tokens,
) -> Result<WorkerContext, WorkError> {
    let scratch = Scratch::make(&settings.scratch, &settings.worker)
        .map(Arc::new)
        .map_err(|source| WorkError::Scratch {
            path: settings.scratch.clone(),
            source,
        })?;
    let slots = Slots::start(&settings, ledger.store(), &scratch)
        .await
        .map_err(|source| WorkError::Runner { source })?;
    settings.slots = slots.count();
    Ok(WorkerContext {
        jobs: Jobs::new(&ledger, cancellations, Arc::clone(&scratch), &settings),
        ledger,
        store: OnceCell::new(),
        broker,
        reporter: Reporter::default(),
        scratch,
        slots,
        held: HeldTasks::default(),
        terms: Terms::default(),
        late_segments: LateSegments::default(),
        in_flight: InFlightDatums::default(),
        pace: DatumPace::default(),
        retry_budget: RetryBudget::new(settings.retry_budget),
        admission: Semaphore::new(usize::from(Prefetch::Usual.messages(&settings))),
        tokens,
        claims: AtomicU64::new(0),
        settings,
    })
}

/// Consumes the messages of all pipelines until the worker drains, and waits for the datums in flight.
async fn consume_all(
    pipelines: &[PipelineName],
    context: &Arc<WorkerContext>,
) -> Result<(), WorkError> {
    let lost = |source: QueueError| WorkError::Queue { source };
    let control_messages = context.broker.listen(context.settings.worker.as_str());
    let control_messages = control_messages.await.map_err(lost)?;
    let mut subscriptions = Vec::with_capacity(pipelines.len());
    for pipeline in pipelines {
        subscriptions.push(Subscription::open(pipeline, context).await.map_err(lost)?);
    }
    tell_capacity(pipelines, context).await;
    context.settings.phase.enter(Phase::Consuming);
    let Settings { worker, slots, .. } = &context.settings;
    let memory = context.slots.all().memory;
    tracing::info!(
        "worker {worker} consumes datums of {}; slots: {slots}; memory for commands: {}",
        listed(pipelines),
        DecimalSize(memory)
    );
    let first_error = FirstError::default();
    let consumers = subscriptions
        .into_iter()
        .map(|subscription| consume(subscription, context, &first_error));
    let consumed = tokio::select! {
        consumed = join_all(consumers) => consumed,
        never = listen_for_control(control_messages, pipelines, context) => match never {},
    };
    forget_capacity(context).await;
    context.slots.end().await;
    let first_error = first_error
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    consumed
        .into_iter()
        .collect::<Result<(), _>>()
        .map_err(lost)
        .and(first_error.map_or(Ok(()), Err))
}

/// Tells the capacity of the worker to the others, which can then leave large datums to a larger worker.
async fn tell_capacity(pipelines: &[PipelineName], context: &WorkerContext) {
    let settings = &context.settings;
    if !settings.is_among_others {
        return;
    }
    let capacity = WorkerCapacity {
        worker: settings.worker.clone(),
        pipelines: pipelines.to_vec(),
        memory_bytes: context.slots.all().memory,
    };
    if let Err(error) = context.ledger.note_capacity(&capacity).await {
        tracing::warn!("the memory of the worker cannot be told to others: {error}");
    }
}

async fn forget_capacity(context: &WorkerContext) {
    if context.settings.is_among_others
        && let Err(error) = context
            .ledger
            .forget_capacity(&context.settings.worker)
            .await
    {
        tracing::debug!("the note of the worker's memory cannot be removed: {error}");
    }
}

fn listed(pipelines: &[PipelineName]) -> String {
    let names: Vec<_> = pipelines.iter().map(PipelineName::as_str).collect();
    names.join(", ")
}

/// The first error that ends the current worker.
type FirstError = Arc<Mutex<Option<WorkError>>>;

/// Consumes one subscription until the worker drains, then waits for the datums in flight.
async fn consume(
    mut subscription: Subscription,
    context: &Arc<WorkerContext>,
    first_error: &FirstError,
) -> Result<(), QueueError> {
    let consumed = consume_until_drained(&mut subscription, context, first_error).await;
    context.settings.phase.enter(Phase::Draining);
    tracing::info!("draining: no more messages are consumed, the running datums are finished");
    let closed = subscription.close(context).await;
    let stopped = consumed.and(closed);
    if stopped.is_err() {
        context.tokens.soft.cancel();
    }
    context.tokens.tracker.close();
    context.tokens.tracker.wait().await;
    stopped
}

async fn consume_until_drained(
    subscription: &mut Subscription,
    context: &Arc<WorkerContext>,
    first_error: &FirstError,
) -> Result<(), QueueError> {
    let mut window = interval(WINDOW);
    window.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let delivery = tokio::select! {
            biased;
            () = context.tokens.soft.cancelled() => return Ok(()),
            _ = window.tick(), if context.settings.further > 0 => {
                subscription.adapt(context).await;
                continue;
            }
            delivery = subscription.next(&*context.broker) => delivery?,
        };
        let tracker = context.tokens.tracker.clone();
        let (context, first_error) = (Arc::clone(context), Arc::clone(first_error));
        let handle = Arc::clone(subscription.handle());
        let task = async move {
            let work = handle.track(process_message(delivery, &handle, &context));
            let worked = AssertUnwindSafe(work).catch_unwind();
            if let Err(error) = worked.await.unwrap_or(Err(WorkError::Bug)) {
                let mut first_error = first_error.lock().unwrap_or_else(PoisonError::into_inner);
                first_error.get_or_insert(error);
                context.tokens.soft.cancel();
            }
        };
        tracker.spawn(task.in_current_span());
    }
}
