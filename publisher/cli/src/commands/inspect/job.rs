//! `drover job`: shows one job.

use crate::args::{Format, Job};
use crate::commands::Context;
use crate::exit::Exit;
use crate::render;
use drover_core::catalog;

pub(crate) async fn job(typed: &Job, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    let id = ledger.resolve(&typed.job).await?;
    let record = catalog::record(&ledger, id).await?;
    let mut out = context.console.data();
    match context.console.format {
        Format::Json => out.json(&record)?,
        Format::Text => {
            let failures = catalog::failures(&ledger, &record).await?;
            let output = context.output(record.pipeline.as_str());
            let summary = context.summary_context(&output);
            out.lines(&render::details(
                &record,
                &failures,
                summary,
                &Context::zone(),
                context.console.out,
            ))?;
        }
    }
    out.finish()?;
    Ok(Exit::Success)
}
