//! `drover serve`: sees published jobs through, as long as it runs, and says how it is meanwhile.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use drover_shared::ledger::Ledger;
use drover_shared::process::{Answers, Ending, Lifecycle, Measures, Probe};
use drover_shared::queue::{Broker, Link};

use super::{CommandError, Context, broker, page, run};
use crate::args::Serve;
use crate::exit::Exit;
use crate::http::{Api, Known, Reach};
use crate::steward::{Service, Shown, Steward, Waiting, metrics};

/// A coordinator holds nothing that must be brought to an end.
const GRACE: Duration = Duration::from_secs(1);

pub(super) async fn serve(typed: &Serve, context: &Context) -> Result<Exit, CommandError> {
    let lifecycle = Lifecycle::new(GRACE).map_err(run::no_signals)?;
    let tokens = lifecycle.tokens();
    let (typed, context) = (typed.clone(), context.clone());
    let main = lifecycle.spawn_main(async move {
        let reached = Reached::default();
        let shown = Shown::default();
        let probe = bind(&typed).await?;
        let page = page::bind(&typed, &context).await?;
        let serving = async {
            let ledger = context.ledger().await?;
            let api = Api::new(Known {
                ledger: ledger.clone(),
                broker: Reach::Remote(Arc::clone(&reached)),
                shown: shown.clone(),
                waiting: Waiting::default(),
            });
            tokio::select! {
                ended = work(ledger, shown, &context, &reached) => ended,
                never = answer(probe, &reached) => match never? {},
                never = page::show(page, api, &context) => match never? {},
            }
        };
        // Whatever it was at, the next one goes on there.
        match tokens.soft.run_until_cancelled(Box::pin(serving)).await {
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
type Reached = Arc<OnceLock<Arc<dyn Broker>>>;

async fn work(
    ledger: Ledger,
    shown: Shown,
    context: &Context,
    reached: &Reached,
) -> Result<Exit, CommandError> {
    let broker: Arc<dyn Broker> = Arc::new(broker::connect(context).await?);
    let steward = Steward {
        ledger,
        broker: Arc::clone(&broker),
        me: broker::me(),
        shown,
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
            ready: Box::new(move || judge(ready.get().map(|broker| broker.link()))),
            metrics: Box::new(move || {
                metrics::queue_link(measured.get().map(|broker| broker.link()) == Some(Link::Up));
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
