//! `drover jobs`: the jobs of a store, newest first.

use drover_shared::id::JobId;
use drover_shared::job::JobRecord;
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use jiff::Timestamp;

use super::{CommandError, Context, books};
use crate::args::{Format, Jobs};
use crate::exit::Exit;
use crate::render;

pub(super) async fn jobs(typed: &Jobs, context: &Context) -> Result<Exit, CommandError> {
    let ledger = context.ledger().await?;
    let most = typed.rows.most(context.console.format);
    let mut out = context.console.data();
    let mut shown = Vec::new();
    let mut count = 0;
    for id in ledger.jobs().await?.into_iter().rev() {
        if count == most {
            break;
        }
        let Some(record) = readable(&ledger, id, context).await? else {
            continue;
        };
        if typed
            .pipeline
            .as_ref()
            .is_some_and(|wanted| record.pipeline != *wanted)
        {
            continue;
        }
        count += 1;
        match context.console.format {
            Format::Json => out.json(&record)?,
            Format::Text => shown.push(record),
        }
    }
    if context.console.format == Format::Text {
        out.lines(&render::jobs(
            &shown,
            Timestamp::now(),
            &Context::zone(),
            context.console.out,
        ))?;
    }
    out.finish()?;
    Ok(Exit::Success)
}

/// The record of a job in the list; one that is damaged or just being made is told of, and left out.
async fn readable(
    ledger: &Ledger,
    id: JobId,
    context: &Context,
) -> Result<Option<JobRecord>, CommandError> {
    match books::record(ledger, id).await {
        Ok(record) => Ok(Some(record)),
        Err(CommandError::Store(
            error @ (StoreError::Corrupt { .. } | StoreError::Missing { .. }),
        )) => {
            context.console.talk(format!("left out: {error}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
