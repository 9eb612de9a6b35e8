//! `drover workers`: workers and served pipelines.

use drover_core::catalog;
use drover_shared::queue::Broker;

use crate::args::Format;
use crate::commands::{Context, broker};
use crate::exit::Exit;
use crate::render;

pub(crate) async fn workers(context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    let broker = broker::connect_if_named(context, &ledger).await;
    let broker = broker.as_ref().map(|broker| broker as &dyn Broker);
    let fleet = catalog::fleet(&ledger, broker).await?;
    let mut out = context.console.data();
    match context.console.format {
        Format::Json => out.json(&fleet)?,
        Format::Text => {
            if fleet.workers.is_empty() {
                context.console.message("no worker has told of itself; start `drover-worker --pipeline '*'` with this store and a broker");
            }
            out.lines(&render::fleet(&fleet))?;
        }
    }
    out.finish()?;
    Ok(Exit::Success)
}
