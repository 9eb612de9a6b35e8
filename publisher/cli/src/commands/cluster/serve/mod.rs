//! `drover serve`: starts jobs of registered pipelines and coordinates submitted jobs, with probes ([`probes`]) and a
//! page ([`page`]).

mod page;
mod probes;
mod work;

use anyhow::Context as _;
use std::time::Duration;

use drover_shared::process::{Lifecycle, ShutdownOutcome, Tokens};

use crate::args::Serve;
use crate::commands::Context;
use crate::exit::Exit;
use drover_api::{Api, ApiContext};
use work::ServeContext;

/// A coordinator has no work of its own to finish.
const GRACE: Duration = Duration::from_secs(1);
/// Time for the datums of the current process to finish.
const WORK_GRACE: Duration = Duration::from_secs(30);

pub(crate) async fn serve(typed: &Serve, context: &Context) -> anyhow::Result<Exit> {
    let has_broker = context.broker.url.is_some();
    let grace = if has_broker { GRACE } else { WORK_GRACE };
    let lifecycle = Lifecycle::new(grace).context("cannot listen for signals")?;
    let tokens = lifecycle.tokens();
    let (typed, context) = (typed.clone(), context.clone());
    let main = lifecycle.spawn_main(Box::pin(async move {
        let working = tokens.child();
        // The next service resumes all jobs.
        tokio::select! {
            ended = serve_all(&typed, &context, &working) => ended,
            () = finished(&working) => Ok(Exit::Success),
        }
    }));
    if lifecycle.run().await == ShutdownOutcome::CutShort && !main.is_finished() {
        return Ok(Exit::Success);
    }
    main.await.context("a task of the command failed")?
}

/// Runs the leaders, the probes and the page.
async fn serve_all(typed: &Serve, context: &Context, working: &Tokens) -> anyhow::Result<Exit> {
    let probe = probes::bind(typed).await?;
    let serving = ServeContext::open(typed, context, working).await?;
    let page = page::bind(typed, serving.ledger.store(), context).await?;
    let api = Api::new(ApiContext {
        ledger: serving.ledger.clone(),
        broker: serving.reach(),
        shown: serving.live_jobs.clone(),
        waiting: serving.watching.waiting.clone(),
    });
    let deliveries = serving.deliveries(typed)?;
    tokio::select! {
        ended = serving.work(context) => ended,
        never = deliveries.run() => match never {},
        never = probes::answer(probe, serving.ledger.store(), &serving.reached) => match never? {},
        never = page::show(page, api, context) => match never? {},
    }
}

/// Returns after a stop request, when the tasks of the current process have finished.
async fn finished(working: &Tokens) {
    working.soft.cancelled().await;
    working.tracker.close();
    working.tracker.wait().await;
}
