//! `drover gc`: removes finished jobs, superseded outputs and old logs.

use drover_core::retention;

use crate::args::{Format, Gc};
use crate::commands::{Context, UsageError};
use crate::exit::Exit;
use crate::render;

pub(crate) async fn gc(typed: &Gc, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    if let Some(set) = &typed.set {
        ledger.set_retention(set.0.as_deref()).await?;
    }
    let collected = retention::collect(&ledger, typed.pipeline.as_ref(), typed.dry_run).await?;
    if let (Some(pipeline), []) = (&typed.pipeline, &collected[..]) {
        return Err(UsageError::NoJobOf(pipeline.clone()).into());
    }
    let console = context.console;
    match console.format {
        Format::Json => {
            let mut out = console.data();
            for pipeline in &collected {
                out.json(&render::collection_json(pipeline, typed.dry_run))?;
            }
            out.finish()?;
        }
        Format::Text if collected.is_empty() => console.message("no jobs here yet"),
        Format::Text => {
            for line in render::collections(&collected, typed.dry_run) {
                console.message(line);
            }
        }
    }
    Ok(Exit::Success)
}
