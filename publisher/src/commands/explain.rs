//! `drover explain`: why a job failed, or why it is not moving.

use jiff::Timestamp;
use serde_json::json;

use super::{CommandError, Context, books};
use crate::args::{Explain, Format};
use crate::exit::Exit;
use crate::render::{self, Facts};

pub(super) async fn explain(typed: &Explain, context: &Context) -> Result<Exit, CommandError> {
    let ledger = context.ledger().await?;
    let id = books::resolve(&ledger, &typed.job).await?;
    let record = books::record(&ledger, id).await?;
    let failures = books::failures(&ledger, &record).await?;
    let waits_for = books::running_before(&ledger, &record).await?;
    let sentences = render::explain(&Facts {
        record: &record,
        failures: &failures,
        stop_requested: ledger.stop_requested(id).await?,
        waits_for: waits_for.as_ref(),
        now: Timestamp::now(),
    });
    let mut out = context.console.data();
    match context.console.format {
        Format::Json => out.json(&json!({ "job": id, "explanation": sentences }))?,
        Format::Text => out.lines(&sentences)?,
    }
    out.finish()?;
    Ok(Exit::Success)
}
