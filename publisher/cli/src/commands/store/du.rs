//! `drover du`: tells the space of a store.

use drover_core::retention::{self, JobUsage};

use crate::args::{Du, Format};
use crate::commands::{Context, UsageError};
use crate::exit::Exit;
use crate::render;

pub(crate) async fn du(typed: &Du, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    let mut usage = retention::usage(&ledger).await?;
    if let Some(pipeline) = &typed.pipeline {
        usage.retain(|usage: &JobUsage| usage.pipeline.as_ref() == Some(pipeline));
        if usage.is_empty() {
            return Err(UsageError::NoJobOf(pipeline.clone()).into());
        }
    }
    let mut out = context.console.data();
    match context.console.format {
        Format::Json => {
            for usage in &usage {
                out.json(&render::usage_json(usage))?;
            }
        }
        Format::Text if typed.pipeline.is_some() => out.lines(&render::usage_by_job(&usage))?,
        Format::Text => out.lines(&render::usage_by_pipeline(&usage))?,
    }
    out.finish()?;
    Ok(Exit::Success)
}
