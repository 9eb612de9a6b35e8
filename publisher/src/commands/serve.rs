//! `drover serve`: starts the jobs of standing pipelines and sees all submitted ones through, as long as it runs, and
//! says how it is meanwhile.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use drover_shared::process::{Answers, Ending, Lifecycle, Measures, Probe, Tokens};
use drover_shared::queue::{Broker, Embedded, Link};
use tokio::sync::Semaphore;

use super::{CommandError, Context, broker, run};
use crate::args::Serve;
use crate::exit::Exit;
use crate::standing::{Watchfulness, Watching};
use crate::steward::{Hands, Service, Steward, Workers, metrics};

/// A coordinator holds nothing that must be brought to an end.
const GRACE: Duration = Duration::from_secs(1);
/// How long what this process works on itself may take to end.
const WORK_GRACE: Duration = Duration::from_secs(30);
/// From TERM to KILL, for a command of this process that must end.
const TERM_GRACE: Duration = Duration::from_secs(10);
/// Messages that each embedded queue holds; more than are ever out at the same time.
const QUEUE_CAPACITY: usize = 4096;

pub(super) async fn serve(typed: &Serve, context: &Context) -> Result<Exit, CommandError> {
    let has_broker = context.broker.url.is_some();
    let grace = if has_broker { GRACE } else { WORK_GRACE };
    let lifecycle = Lifecycle::new(grace).map_err(run::no_signals)?;
    let tokens = lifecycle.tokens();
    let (typed, context) = (typed.clone(), context.clone());
    let main = lifecycle.spawn_main(Box::pin(async move {
        let reached = Reached::default();
        let probe = bind(&typed).await?;
        let working = tokens.part();
        let serving = async {
            tokio::select! {
                ended = work(&typed, &context, &reached, &working) => ended,
                never = answer(probe, &reached) => match never? {},
            }
        };
        // Whatever it was at, the next one goes on there.
        tokio::select! {
            ended = serving => ended,
            () = finished(&working) => Ok(Exit::Success),
        }
    }));
    if lifecycle.run().await == Ending::CutShort && !main.is_finished() {
        return Ok(Exit::Success);
    }
    main.await
        .map_err(|error| CommandError::from(std::io::Error::other(error)))?
}

/// Returns when the process is to end, and what it worked on itself is finished.
async fn finished(working: &Tokens) {
    working.soft.cancelled().await;
    working.tracker.close();
    working.tracker.wait().await;
}

/// The broker, from when it is reached on.
type Reached = Arc<OnceLock<Arc<dyn Broker>>>;

async fn work(
    typed: &Serve,
    context: &Context,
    reached: &Reached,
    working: &Tokens,
) -> Result<Exit, CommandError> {
    let (broker, workers) = queue(typed, context, working).await?;
    let ledger = context.ledger().await?;
    if ledger.store().local_root().is_none() && matches!(workers, Workers::Here(_)) {
        return Err(CommandError::BucketAlone);
    }
    let where_ = match workers {
        Workers::OnBroker => "seeing published jobs through, and",
        Workers::Here(_) => "working on jobs here, without a broker, and",
    };
    let limit = typed
        .max_concurrent_jobs
        .map_or(Semaphore::MAX_PERMITS, |most| most.get() as usize);
    let steward = Steward {
        workers,
        watching: Some(Watching {
            watchfulness: Watchfulness {
                settle: typed.settle,
                look_every: typed.look_every,
            },
            ..Watching::default()
        }),
        limit: Arc::new(Semaphore::new(limit)),
        ..Steward::on_broker(ledger, Arc::clone(&broker), broker::me())
    };
    let service = Service::new(steward).await?;
    reached.get_or_init(|| broker);
    context.console.talk(format!(
        "{where_} watching the inputs of standing pipelines; Ctrl-C ends it, and loses nothing"
    ));
    Err(service.run().await.into())
}

/// The broker that was named, or a queue of this process, with a worker of its own.
async fn queue(
    typed: &Serve,
    context: &Context,
    working: &Tokens,
) -> Result<(Arc<dyn Broker>, Workers), CommandError> {
    if context.broker.url.is_some() {
        let broker = broker::connect(context).await?;
        return Ok((Arc::new(broker), Workers::OnBroker));
    }
    let hands = Hands {
        slots: typed.workers,
        term_grace: TERM_GRACE,
        tokens: working.clone(),
    };
    let queue = Embedded::new(QUEUE_CAPACITY);
    Ok((Arc::new(queue), Workers::Here(hands)))
}

async fn bind(typed: &Serve) -> Result<Option<Probe>, CommandError> {
    let Some(address) = typed.listen else {
        return Ok(None);
    };
    let refused = |source| CommandError::Listen { address, source };
    Probe::bind(address).await.map(Some).map_err(refused)
}

/// Answers probes, if there is a place for them, for ever.
async fn answer(probe: Option<Probe>, reached: &Reached) -> Result<Infallible, CommandError> {
    let Some(probe) = probe else {
        return pending().await;
    };
    let recorder = Measures::keep(&metrics::BUCKETS_S)
        .map_err(|error| CommandError::from(std::io::Error::other(error)))?;
    metrics::describe();
    let (ready, measured) = (Arc::clone(reached), Arc::clone(reached));
    Ok(probe
        .serve(Answers {
            ready: Box::new(move || judge(ready.get().map(|it| it.link()))),
            metrics: Box::new(move || {
                metrics::queue_link(measured.get().map(|it| it.link()) == Some(Link::Up));
                recorder.render()
            }),
        })
        .await)
}

/// Whether jobs can be seen through; if not, why.
fn judge(link: Option<Link>) -> Result<(), String> {
    match link {
        None => Err("starting".to_owned()),
        Some(Link::Up) => Ok(()),
        Some(Link::Down { why }) => Err(format!("the broker is out of reach: {why}")),
        Some(Link::Blocked { why }) => Err(format!("the broker is blocked: {why}")),
    }
}
