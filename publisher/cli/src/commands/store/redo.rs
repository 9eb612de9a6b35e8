//! `drover redo`: forgets chosen successes.

use drover_core::catalog::{self, RedoFilter};
use serde_json::json;

use crate::args::{Format, Redo};
use crate::commands::Context;
use crate::exit::Exit;
use crate::render::counted;

pub(crate) async fn redo(typed: &Redo, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    let since = match &typed.since {
        Some(text) => Some(ledger.resolve(text).await?),
        None => None,
    };
    let filter = RedoFilter {
        path: typed.path.clone(),
        datum: typed.datum.clone(),
        since,
    };
    let forgotten = catalog::redo(&ledger, &typed.pipeline, &filter).await?;
    let name = &typed.pipeline;
    match context.console.format {
        Format::Json => {
            let mut out = context.console.data();
            out.json(&json!({ "pipeline": name, "forgotten": forgotten }))?;
            out.finish()?;
        }
        Format::Text if forgotten == 0 => {
            context
                .console
                .message(format!("{name}: no stored success fits"));
        }
        Format::Text => context.console.message(format!(
            "{name}: {} will be done again by the next job",
            counted(forgotten, "datum")
        )),
    }
    Ok(Exit::Success)
}
