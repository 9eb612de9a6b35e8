//! `drover serve`: starts the jobs of standing pipelines and sees all submitted ones through, as long as it runs, and
//! says how it is meanwhile: to probes ([`probes`]) and to people ([`page`]).

mod page;
mod probes;
mod work;

use std::time::Duration;

use drover_shared::process::{Lifecycle, ShutdownOutcome, Tokens};

use crate::args::Serve;
use crate::commands::run::run;
use crate::commands::{CommandError, Context};
use crate::exit::Exit;
use drover_api::{Api, ApiContext};
use work::Desk;

/// A coordinator holds nothing that must be brought to an end.
const GRACE: Duration = Duration::from_secs(1);
/// How long what this process works on itself may take to end.
const WORK_GRACE: Duration = Duration::from_secs(30);

pub(crate) async fn serve(typed: &Serve, context: &Context) -> Result<Exit, CommandError> {
    let has_broker = context.broker.url.is_some();
    let grace = if has_broker { GRACE } else { WORK_GRACE };
    let lifecycle = Lifecycle::new(grace).map_err(run::no_signals)?;
    let tokens = lifecycle.tokens();
    let (typed, context) = (typed.clone(), context.clone());
    let main = lifecycle.spawn_main(Box::pin(async move {
        let working = tokens.child();
        // Whatever it was at, the next one goes on there.
        tokio::select! {
            ended = serve_all(&typed, &context, &working) => ended,
            () = finished(&working) => Ok(Exit::Success),
        }
    }));
    if lifecycle.run().await == ShutdownOutcome::CutShort && !main.is_finished() {
        return Ok(Exit::Success);
    }
    main.await
        .map_err(|error| CommandError::from(std::io::Error::other(error)))?
}

/// Works, and answers probes and people, for ever.
async fn serve_all(
    typed: &Serve,
    context: &Context,
    working: &Tokens,
) -> Result<Exit, CommandError> {
    let probe = probes::bind(typed).await?;
    let page = page::bind(typed, context).await?;
    let desk = Desk::open(typed, context, working).await?;
    let api = Api::new(ApiContext {
        ledger: desk.ledger.clone(),
        broker: desk.reach(),
        shown: desk.shown.clone(),
        waiting: desk.watching.waiting.clone(),
    });
    tokio::select! {
        ended = desk.work(context) => ended,
        never = probes::answer(probe, &desk.reached) => match never? {},
        never = page::show(page, api, context) => match never? {},
    }
}

/// Returns when the process is to end, and what it worked on itself is finished.
async fn finished(working: &Tokens) {
    working.soft.cancelled().await;
    working.tracker.close();
    working.tracker.wait().await;
}
