//! The worker: consumes messages until it is told to drain, and ends without losing a message.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use drover_shared::id::PipelineName;
use drover_shared::ledger::Ledger;
use drover_shared::process::Tokens;
use drover_shared::queue::{Broker, QueueError};
use drover_shared::units::DecimalSize;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, TryFutureExt};
use tokio::sync::{Notify, OnceCell, mpsc};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::cache::NodeCache;
use crate::config::Settings;
use crate::consume::control::listen_for_control;
use crate::consume::message::process_message;
use crate::consume::prefetch::WINDOW;
use crate::consume::presence::{follow_roster, forget_capacity, tell_capacity};
use crate::consume::roster_keeper::{MOST_HINTS, RosterKeeper};
use crate::consume::selection::PipelineSelection;
use crate::consume::subscription::Subscription;
use crate::context::WorkerContext;
use crate::error::WorkError;
use crate::jobs::{
    BegunSets, Cancellations, HeldTasks, InFlightDatums, Jobs, LateSegments, ReportedAttempts,
    Terms,
};
use crate::pace::DatumPace;
use crate::phase::Phase;
use crate::reporter::Reporter;
use crate::retry_budget::RetryBudget;
use crate::roster::Roster;
use crate::slots::Scratch;
use crate::slots::Slots;
use crate::weights::Weights;

/// Processes the datums of the selected pipelines. Returns once the soft token is cancelled and the running datums have ended, or
/// once the hard token is cancelled. `cancellations` must have been made from the same hard token.
pub async fn work(
    settings: Settings,
    ledger: Ledger,
    broker: Arc<dyn Broker>,
    pipelines: impl Into<PipelineSelection>,
    cancellations: Cancellations,
    tokens: Tokens,
) -> Result<(), WorkError> {
    let selection = pipelines.into();
    let span = tracing::info_span!("worker", worker.id = %settings.worker);
    // An error of the worker must not end the whole process: the caller decides that.
    let tokens = tokens.child();
    async {
        let context = prepare(settings, ledger, broker, cancellations, tokens).await?;
        consume_all(&selection, &Arc::new(context)).await
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
        cache: NodeCache::new(
            scratch.of_all_workers().unwrap_or(&settings.scratch),
            settings.cache_limit,
        ),
        scratch,
        slots,
        held: HeldTasks::default(),
        terms: Terms::default(),
        begun_sets: BegunSets::default(),
        late_segments: LateSegments::default(),
        in_flight: InFlightDatums::default(),
        reported_attempts: ReportedAttempts::default(),
        copies_ended: Notify::new(),
        pace: DatumPace::default(),
        retry_budget: RetryBudget::new(settings.retry_budget),
        roster: Roster::default(),
        weights: Weights::default(),
        tokens,
        claims: AtomicU64::new(0),
        settings,
    })
}

/// Consumes the messages of all pipelines until the worker drains, and waits for the datums in flight.
async fn consume_all(
    selection: &PipelineSelection,
    context: &Arc<WorkerContext>,
) -> Result<(), WorkError> {
    let lost = |source: QueueError| WorkError::Queue { source };
    let control_messages = context.broker.listen(context.settings.worker.as_str());
    let control_messages = control_messages.await.map_err(lost)?;
    let first_error = FirstError::default();
    let mut named = Vec::new();
    for pipeline in selection.names() {
        let leaves = context.roster.enter(&pipeline).unwrap_or_default();
        let subscription = Subscription::open(&pipeline, context).await.map_err(lost)?;
        named.push((subscription, leaves));
    }
    tell_capacity(selection, context).await;
    context.settings.phase.enter(Phase::Consuming);
    let Settings { worker, slots, .. } = &context.settings;
    let memory = context.slots.all().memory;
    tracing::info!(
        "worker {worker} consumes datums of {selection}; slots: {slots}; memory for commands: {}",
        DecimalSize(memory)
    );
    let (hints, hinted) = mpsc::channel(MOST_HINTS);
    let (entered, entering) = mpsc::channel(1);
    let keeper = RosterKeeper {
        selection,
        ledger: &context.ledger,
        roster: &context.roster,
        hints: hinted,
        entered,
    };
    let consumed = tokio::select! {
        consumed = consume_roster(named, entering, selection, context, &first_error) => consumed,
        never = listen_for_control(control_messages, hints, selection, context) => match never {},
        never = keeper.run() => match never {},
        never = follow_roster(selection, context) => match never {},
    };
    forget_capacity(context).await;
    context.slots.end().await;
    let first_error = first_error
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    consumed.map_err(lost).and(first_error.map_or(Ok(()), Err))
}

/// The first error that ends the current worker.
type FirstError = Arc<Mutex<Option<WorkError>>>;

/// Consumes the `named` pipelines, and those that enter the roster, until the worker drains.
async fn consume_roster(
    named: Vec<(Subscription, CancellationToken)>,
    mut entering: mpsc::Receiver<(PipelineName, CancellationToken)>,
    selection: &PipelineSelection,
    context: &Arc<WorkerContext>,
    first_error: &FirstError,
) -> Result<(), QueueError> {
    let soft = &context.tokens.soft;
    let adapts = context.settings.further > 0 || selection.is_shared();
    let mut consuming = FuturesUnordered::new();
    for (subscription, leaves) in named {
        let consumed = consume(subscription, leaves, adapts, context, first_error);
        // The other subscriptions end as well.
        consuming.push(consumed.inspect_err(|_| soft.cancel()).boxed());
    }
    let mut result = Ok(());
    loop {
        tokio::select! {
            Some(ended) = consuming.next() => result = result.and(ended),
            Some((pipeline, leaves)) = entering.recv(), if !soft.is_cancelled() => {
                consuming.push(consume_entered(pipeline, leaves, context, first_error).boxed());
            }
            () = soft.cancelled(), if consuming.is_empty() => break,
        }
    }
    context.tokens.tracker.close();
    context.tokens.tracker.wait().await;
    result
}

/// Consumes a pipeline that has entered the roster until it leaves. Trouble with one pipeline, such as queues of another
/// store, keeps no other pipeline from being served; the next search tries again.
async fn consume_entered(
    pipeline: PipelineName,
    leaves: CancellationToken,
    context: &Arc<WorkerContext>,
    first_error: &FirstError,
) -> Result<(), QueueError> {
    let opening = async {
        context.broker.declare(&pipeline).await?;
        Subscription::open(&pipeline, context).await
    };
    let served = match context.tokens.soft.run_until_cancelled(opening).await {
        Some(Ok(subscription)) => {
            tracing::info!(pipeline.name = %pipeline, "serving {pipeline}");
            consume(subscription, leaves, true, context, first_error).await
        }
        Some(Err(error)) => Err(error),
        None => Ok(()),
    };
    context.roster.remove(&pipeline);
    if let Err(error) = served {
        tracing::warn!(pipeline.name = %pipeline, "{pipeline} is not served: {error}");
    }
    Ok(())
}

/// Consumes one subscription until the worker drains or the pipeline leaves, then waits for its datums in flight. The prefetch
/// is adapted if `adapts`.
async fn consume(
    mut subscription: Subscription,
    leaves: CancellationToken,
    adapts: bool,
    context: &Arc<WorkerContext>,
    first_error: &FirstError,
) -> Result<(), QueueError> {
    let consuming = consume_until_drained(&mut subscription, adapts, context, first_error);
    let consumed = leaves.run_until_cancelled(consuming).await;
    if context.tokens.soft.is_cancelled() {
        context.settings.phase.enter(Phase::Draining);
        tracing::info!("draining: no more messages are consumed, the running datums are finished");
    }
    let closed = subscription.close(context).await;
    let consumed = consumed.unwrap_or(Ok(())).and(closed);
    // After an error, datums with possibly lost claims are not waited for.
    if consumed.is_ok() {
        subscription.settled().await;
    }
    consumed
}

async fn consume_until_drained(
    subscription: &mut Subscription,
    adapts: bool,
    context: &Arc<WorkerContext>,
    first_error: &FirstError,
) -> Result<(), QueueError> {
    let mut window = interval(WINDOW);
    window.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let delivery = tokio::select! {
            biased;
            () = context.tokens.soft.cancelled() => return Ok(()),
            _ = window.tick(), if adapts => {
                subscription.adapt(context).await;
                continue;
            }
            delivery = subscription.next(&*context.broker) => if let Some(delivery) = delivery? {
                delivery
            } else {
                subscription.adapt(context).await;
                continue;
            },
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
