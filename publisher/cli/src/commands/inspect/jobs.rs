//! `drover jobs`: lists the jobs of a store, newest first.

use std::pin::pin;

use drover_shared::id::JobId;
use drover_shared::job::JobRecord;
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use futures::TryStreamExt;
use jiff::Timestamp;

use crate::args::{Format, Jobs};
use crate::commands::Context;
use crate::exit::Exit;
use crate::render;
use drover_core::catalog;

/// Records read at once; a list may be long, and its store far away.
const CONCURRENT_READS: usize = 32;

pub(crate) async fn jobs(typed: &Jobs, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    let most = typed.rows.most(context.console.format);
    let mut records = Vec::new();
    let mut are_more = false;
    let newest_first = catalog::history(&ledger, typed.pipeline.as_ref(), None);
    let reading = newest_first.map_ok(|id| readable(&ledger, id, context));
    let reading = reading.map_err(anyhow::Error::from);
    let mut reading = pin!(reading.try_buffered(CONCURRENT_READS));
    while let Some(record) = reading.try_next().await? {
        let Some(record) = record else {
            continue;
        };
        if records.len() as u64 == most {
            are_more = true;
            break;
        }
        records.push(record);
    }
    print(&records, context)?;
    if are_more && context.console.format == Format::Text {
        context
            .console
            .message("older jobs are left out; --limit 0 shows all");
    }
    Ok(Exit::Success)
}

fn no_jobs(context: &Context) -> String {
    match context.store_above() {
        Some(above) => format!("no jobs here; there is a store in a folder above: --store {above}"),
        None => "no jobs here yet; `drover run` starts one".to_owned(),
    }
}

fn print(records: &[JobRecord], context: &Context) -> anyhow::Result<()> {
    let mut out = context.console.data();
    match context.console.format {
        Format::Json => records.iter().try_for_each(|record| out.json(record))?,
        Format::Text if records.is_empty() => context.console.message(no_jobs(context)),
        Format::Text => {
            let lines = render::jobs(
                records,
                Timestamp::now(),
                &Context::zone(),
                context.console.out,
            );
            out.lines(&lines)?;
        }
    }
    Ok(out.finish()?)
}

/// The record of a job for the list; a damaged or unfinished record is reported and left out.
async fn readable(
    ledger: &Ledger,
    id: JobId,
    context: &Context,
) -> anyhow::Result<Option<JobRecord>> {
    match catalog::record(ledger, id).await {
        Ok(record) => Ok(Some(record)),
        Err(error @ (StoreError::Corrupt { .. } | StoreError::Missing { .. })) => {
            context.console.message(format!("left out: {error}"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
