//! `drover serve`: sees published jobs through, as long as it runs, and says how it is meanwhile.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use drover_shared::process::{Answers, Ending, Lifecycle, Measures, Probe};
use drover_shared::queue::rabbitmq::RabbitMq;
use drover_shared::queue::{Broker, Link};

use super::{CommandError, Context, broker, run};
use crate::args::Serve;
use crate::exit::Exit;
use crate::steward::{Service, Shown, Steward, metrics};

/// A coordinator holds nothing that must be brought to an end.
const GRACE: Duration = Duration::from_secs(1);

pub(super) async fn serve(typed: &Serve, context: &Context) -> Result<Exit, CommandError> {
    let lifecycle = Lifecycle::new(GRACE).map_err(run::no_signals)?;
    let tokens = lifecycle.tokens();
    let (typed, context) = (typed.clone(), context.clone());
    let main = lifecycle.spawn_main(async move {
        let reached = Reached::default();
        let probe = bind(&typed).await?;
        let serving = async {
            tokio::select! {
                ended = work(&context, &reached) => ended,
                never = answer(probe, &reached) => match never? {},
            }
        };
        // Whatever it was at, the next one goes on there.
        match tokens.soft.run_until_cancelled(serving).await {
            Some(ended) => ended,
            None => Ok(Exit::Success),
        }
    });
    if lifecycle.run().await == Ending::CutShort && !main.is_finished() {
        return Ok(Exit::Success);
    }
    main.await
        .map_err(|error| CommandError::from(std::io::Error::other(error)))?
}

/// The broker, from when it is reached on.
type Reached = Arc<OnceLock<RabbitMq>>;

async fn work(context: &Context, reached: &Reached) -> Result<Exit, CommandError> {
    let broker = broker::connect(context).await?;
    let ledger = context.ledger().await?;
    let steward = Steward {
        ledger,
        broker: Arc::new(broker.clone()),
        me: broker::me(),
        shown: Shown::default(),
    };
    let service = Service::new(steward).await?;
    reached.get_or_init(|| broker);
    context
        .console
        .talk("seeing published jobs through; Ctrl-C ends it, and loses nothing");
    Err(service.run().await.into())
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
            ready: Box::new(move || judge(ready.get().map(Broker::link))),
            metrics: Box::new(move || {
                metrics::queue_link(measured.get().map(Broker::link) == Some(Link::Up));
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
