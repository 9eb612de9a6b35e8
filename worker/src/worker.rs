//! The worker: takes messages as long as it has room, and ends without losing any.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use drover_shared::id::PipelineName;
use drover_shared::ledger::Ledger;
use drover_shared::process::Tokens;
use drover_shared::queue::{Broker, Consumer, Queue, QueueError};
use tokio::sync::Semaphore;

use crate::claim::work_off;
use crate::config::Settings;
use crate::error::WorkError;
use crate::job::Jobs;
use crate::patience::Patience;
use crate::scratch::Scratch;
use crate::slots::Slots;
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
    let prefetch = settings.prefetch();
    // Its own trouble is no reason to end the whole process by itself; that is for whoever called.
    let tokens = tokens.part();
    let tools = Arc::new(equip(settings, ledger, Arc::clone(&broker), stops, tokens).await?);
    let trouble = Arc::new(Mutex::new(Ok(())));
    let takers = pipelines.iter().map(|pipeline| {
        let queue = Queue::Datums(pipeline.clone());
        take(broker.as_ref(), queue, prefetch, &tools, &trouble)
    });
    let taken = futures::future::join_all(takers).await;
    tools.slots.end().await;
    let trouble = std::mem::replace(
        &mut *trouble.lock().unwrap_or_else(PoisonError::into_inner),
        Ok(()),
    );
    taken.into_iter().collect::<Result<(), _>>().and(trouble)
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
        scratch,
        slots,
        patience: Patience::new(settings.patience),
        in_flight: Semaphore::new(usize::from(settings.prefetch())),
        tokens,
        claims: AtomicU64::new(0),
        settings,
    })
}

/// The first reason for this worker to end.
type Reason = Arc<Mutex<Result<(), WorkError>>>;

/// Takes messages from one queue until it is time to stop, then waits for those in hand.
async fn take(
    broker: &dyn Broker,
    queue: Queue,
    prefetch: u16,
    tools: &Arc<Tools>,
    trouble: &Reason,
) -> Result<(), WorkError> {
    let lost = |source: QueueError| WorkError::Queue { source };
    let mut consumer = broker.consume(&queue, prefetch).await.map_err(lost)?;
    let taken = take_until_asked(consumer.as_mut(), tools, trouble).await;
    let stopped = match taken {
        Ok(()) => consumer.stop().await,
        Err(error) => Err(error),
    };
    if stopped.is_err() {
        tools.tokens.soft.cancel();
    }
    tools.tokens.tracker.close();
    tools.tokens.tracker.wait().await;
    stopped.map_err(lost)
}

async fn take_until_asked(
    consumer: &mut dyn Consumer,
    tools: &Arc<Tools>,
    trouble: &Reason,
) -> Result<(), QueueError> {
    loop {
        let delivery = tokio::select! {
            biased;
            () = tools.tokens.soft.cancelled() => return Ok(()),
            delivery = consumer.next() => delivery?,
        };
        let (tools, trouble) = (Arc::clone(tools), Arc::clone(trouble));
        tools.tokens.tracker.clone().spawn(async move {
            if let Err(error) = work_off(delivery, &tools).await {
                let mut trouble = trouble.lock().unwrap_or_else(PoisonError::into_inner);
                if trouble.is_ok() {
                    *trouble = Err(error);
                }
                tools.tokens.soft.cancel();
            }
        });
    }
}
