//! `drover verify`: reads all stored outputs.

use drover_core::catalog::{self, Verification};

use crate::args::{Format, Verify};
use crate::commands::{Context, UsageError};
use crate::exit::Exit;
use crate::render;

pub(crate) async fn verify(typed: &Verify, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    let found = catalog::verify(&ledger, typed.pipeline.as_ref()).await?;
    if let (Some(pipeline), []) = (&typed.pipeline, &found[..])
        && catalog::newest_job(&ledger, pipeline).await?.is_none()
    {
        return Err(UsageError::NoJobOf(pipeline.clone()).into());
    }
    let mut out = context.console.data();
    for pipeline in &found {
        match context.console.format {
            Format::Json => out.json(pipeline)?,
            Format::Text => out.lines(&render::verification(pipeline, context.console.out))?,
        }
    }
    out.finish()?;
    if found.is_empty() {
        context.console.message("no job has stored any output here");
    }
    let is_whole = |pipeline: &Verification| pipeline.damaged.is_empty();
    Ok(if found.iter().all(is_whole) {
        Exit::Success
    } else {
        Exit::JobFailed
    })
}
