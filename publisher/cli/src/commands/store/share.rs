//! `drover share`: shows or changes priority and share of a pipeline.

use std::num::NonZeroU32;

use drover_core::catalog;
use drover_shared::ledger::Ledger;
use drover_shared::pipeline::Sharing;
use drover_shared::queue::Broker;
use serde_json::json;

use crate::args::{Format, Share};
use crate::commands::store::change_note::note_change;
use crate::commands::{Context, UsageError, broker};
use crate::exit::Exit;
use crate::render;

pub(crate) async fn share(typed: &Share, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    let pipeline = &typed.pipeline;
    let Some((now, of_spec)) = catalog::sharing_of(&ledger, pipeline).await? else {
        return Err(UsageError::NoJobOf(pipeline.clone()).into());
    };
    let changed = changed(typed, now);
    if typed.reset || changed.is_some() {
        change(typed, changed, &ledger, context).await?;
    }
    let counts = if typed.reset {
        of_spec
    } else {
        changed.unwrap_or(now)
    };
    let mut out = context.console.data();
    match context.console.format {
        Format::Json => out.json(&json!({
            "pipeline": pipeline, "priority": counts.priority, "share": counts.share, "of_spec": of_spec,
        }))?,
        Format::Text => out.line(render::shared_by(pipeline, counts, of_spec))?,
    }
    out.finish()?;
    Ok(Exit::Success)
}

/// The sharing as typed; none without a change.
fn changed(typed: &Share, now: Sharing) -> Option<Sharing> {
    let is_change = typed.priority.is_some() || typed.share.is_some();
    is_change.then(|| Sharing {
        priority: typed.priority.unwrap_or(now.priority),
        share: typed.share.and_then(NonZeroU32::new).unwrap_or(now.share),
    })
}

async fn change(
    typed: &Share,
    changed: Option<Sharing>,
    ledger: &Ledger,
    context: &Context,
) -> anyhow::Result<()> {
    let pipeline = &typed.pipeline;
    let connected = broker::connect_if_named(context, ledger).await;
    let connected = connected.as_ref().map(|broker| broker as &dyn Broker);
    let told = catalog::change_sharing(ledger, connected, pipeline, changed).await?;
    if let Err(error) = told {
        let console = context.console;
        console.message(format!(
            "the workers are not told, and find the change later: {error}"
        ));
    }
    let query = changed.map(|it| format!("?priority={}&share={}", it.priority, it.share));
    let method = if typed.reset { "DELETE" } else { "PUT" };
    let path = format!("/pipelines/{pipeline}/sharing{}", query.unwrap_or_default());
    note_change(ledger, method, path).await
}
