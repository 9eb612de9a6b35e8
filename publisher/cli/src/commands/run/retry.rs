//! `drover retry`: runs the failed datums of a job, or of one group of failures, as a new job.

use crate::args::Retry;
use crate::commands::run::local_run;
use crate::commands::{CommandError, Context};
use crate::exit::Exit;
use drover_core::catalog;

pub(crate) async fn retry(typed: &Retry, context: &Context) -> Result<Exit, CommandError> {
    let ledger = context.ledger().await?;
    let id = ledger.resolve(&typed.job).await?;
    let record = catalog::record(&ledger, id).await?;
    if !record.state.is_final() {
        return Err(CommandError::NotEnded {
            job: id,
            state: record.state.to_string(),
        });
    }
    let assignment = catalog::retry(&ledger, &record, typed.group.as_deref()).await?;
    local_run::in_order(vec![assignment], &typed.engine, &ledger, context).await
}
