//! The worker: takes messages as long as it has room, and ends without losing any.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use drover_shared::id::PipelineName;
use drover_shared::ledger::Ledger;
use drover_shared::process::Tokens;
use drover_shared::queue::{Broker, QueueError};
use futures::FutureExt;
use futures::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};
use tracing::Instrument;

use crate::config::Settings;
use crate::consume::claim::work_off;
use crate::consume::control::heed;
use crate::consume::prefetch::{Prefetch, WINDOW};
use crate::consume::subscription::Intake;
use crate::context::Tools;
use crate::error::WorkError;
use crate::jobs::Cancellations;
use crate::jobs::InHand;
use crate::jobs::Jobs;
use crate::phase::Phase;
use crate::reporter::Reporter;
use crate::retry_budget::Patience;
use crate::slots::Scratch;
use crate::slots::Slots;

/// Works on the datums of `pipelines` until the soft token is cancelled and what runs is finished, or until the
/// hard token is cancelled. `stops` must have been made from the same hard token.
pub async fn work(
    settings: Settings,
    ledger: Ledger,
    broker: Arc<dyn Broker>,
    pipelines: Vec<PipelineName>,
    stops: Cancellations,
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
    stops: Cancellations,
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
        in_flight: Semaphore::new(usize::from(Prefetch::Usual.messages(&settings))),
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
    let mut intakes = Vec::with_capacity(pipelines.len());
    for pipeline in pipelines {
        intakes.push(Intake::open(pipeline, tools).await.map_err(lost)?);
    }
    tools.settings.phase.enter(Phase::Taking);
    let Settings { worker, slots, .. } = &tools.settings;
    tracing::info!(
        "worker {worker} takes datums of {}, {slots} at a time",
        listed(pipelines)
    );
    let trouble = Reason::default();
    let takers = intakes
        .into_iter()
        .map(|intake| take(intake, tools, &trouble));
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

fn listed(pipelines: &[PipelineName]) -> String {
    let names: Vec<_> = pipelines.iter().map(PipelineName::as_str).collect();
    names.join(", ")
}

/// The first reason for this worker to end.
type Reason = Arc<Mutex<Option<WorkError>>>;

/// Takes messages from one queue until it is time to stop, then waits for those in hand.
async fn take(mut intake: Intake, tools: &Arc<Tools>, trouble: &Reason) -> Result<(), QueueError> {
    let taken = take_until_asked(&mut intake, tools, trouble).await;
    tools.settings.phase.enter(Phase::Draining);
    tracing::info!("no more messages are taken; what runs is finished");
    let closed = intake.close(tools).await;
    let stopped = taken.and(closed);
    if stopped.is_err() {
        tools.tokens.soft.cancel();
    }
    tools.tokens.tracker.close();
    tools.tokens.tracker.wait().await;
    stopped
}

async fn take_until_asked(
    intake: &mut Intake,
    tools: &Arc<Tools>,
    trouble: &Reason,
) -> Result<(), QueueError> {
    let mut window = interval(WINDOW);
    window.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let delivery = tokio::select! {
            biased;
            () = tools.tokens.soft.cancelled() => return Ok(()),
            _ = window.tick(), if tools.settings.further > 0 => {
                intake.adapt(tools).await;
                continue;
            }
            delivery = intake.next(&*tools.broker) => delivery?,
        };
        let tracker = tools.tokens.tracker.clone();
        let (tools, trouble) = (Arc::clone(tools), Arc::clone(trouble));
        let origin = Arc::clone(intake.origin());
        let task = async move {
            let work = origin.track(work_off(delivery, &origin, &tools));
            let worked = AssertUnwindSafe(work).catch_unwind();
            if let Err(error) = worked.await.unwrap_or(Err(WorkError::Bug)) {
                let mut trouble = trouble.lock().unwrap_or_else(PoisonError::into_inner);
                trouble.get_or_insert(error);
                tools.tokens.soft.cancel();
            }
        };
        tracker.spawn(task.in_current_span());
    }
}
