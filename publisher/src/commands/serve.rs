//! `drover serve`: sees published jobs through, as long as it runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::process::{Ending, Lifecycle};

use super::health::Health;
use super::{CommandError, Context, broker, run};
use crate::args::Serve;
use crate::exit::Exit;
use crate::steward::{Service, Shown, Steward};

/// A coordinator holds nothing that must be brought to an end.
const GRACE: Duration = Duration::from_secs(1);

pub(super) async fn serve(typed: &Serve, context: &Context) -> Result<Exit, CommandError> {
    let lifecycle = Lifecycle::new(GRACE).map_err(run::no_signals)?;
    let tokens = lifecycle.tokens();
    let (context, listen) = (context.clone(), typed.listen);
    let main = lifecycle.spawn_main(async move {
        let serving = work(&context, listen);
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

/// Sees jobs through, and says how it is meanwhile.
async fn work(context: &Context, listen: Option<SocketAddr>) -> Result<Exit, CommandError> {
    let health = Health::default();
    let answering = health.clone().answer(listen).await?;
    tokio::select! {
        ended = see_through(context, &health) => ended,
        never = answering => match never {},
    }
}

async fn see_through(context: &Context, health: &Health) -> Result<Exit, CommandError> {
    let broker = broker::connect(context).await?;
    let ledger = context.ledger().await?;
    let steward = Steward {
        ledger,
        broker: Arc::new(broker.clone()),
        me: broker::me(),
        shown: Shown::default(),
    };
    let service = Service::new(steward).await?;
    health.begun(&broker);
    context
        .console
        .talk("seeing published jobs through; Ctrl-C ends it, and loses nothing");
    Err(service.run().await.into())
}
