//! `drover limit`: lists, defines and changes the limits that pipelines share.

use drover_shared::id::LimitName;
use drover_shared::ledger::Ledger;

use crate::args::{Format, Limits};
use crate::commands::store::change_note::note_change;
use crate::commands::{Context, UsageError};
use crate::exit::Exit;
use crate::render;

pub(crate) async fn limits(typed: &Limits, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    if let Some(name) = &typed.name {
        change(&ledger, name, typed).await?;
    }
    let mut limits = ledger.shared_limits().await?;
    limits.retain(|(name, _)| typed.name.as_ref().is_none_or(|typed| typed == name));
    if let (Some(name), [], false) = (&typed.name, &limits[..], typed.delete) {
        return Err(UsageError::NoLimit(name.clone()).into());
    }
    let console = context.console;
    let mut out = console.data();
    match console.format {
        Format::Json => {
            for (name, limit) in &limits {
                out.json(&render::limit_json(name, limit))?;
            }
        }
        Format::Text if limits.is_empty() => console.message("no limits"),
        Format::Text => out.lines(&render::limits(&limits))?,
    }
    out.finish()?;
    Ok(Exit::Success)
}

async fn change(ledger: &Ledger, name: &LimitName, typed: &Limits) -> anyhow::Result<()> {
    let method = match typed.running {
        Some(running) => {
            ledger.set_shared_limit(name, running).await?;
            "PUT"
        }
        None if typed.delete => {
            ledger.remove_shared_limit(name).await?;
            "DELETE"
        }
        None => return Ok(()),
    };
    let running = typed.running.map(|running| format!("?running={running}"));
    let path = format!("/limits/{name}{}", running.unwrap_or_default());
    note_change(ledger, method, path).await
}
