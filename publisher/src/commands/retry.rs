//! `drover retry`: the failed datums of a job again, and only those, as a new job.

use drover_shared::pipeline;

use super::sources::Prepared;
use super::{CommandError, Context, books, run};
use crate::args::Retry;
use crate::coordinator::Scope;
use crate::exit::Exit;

pub(super) async fn retry(typed: &Retry, context: &Context) -> Result<Exit, CommandError> {
    let ledger = context.ledger().await?;
    let id = books::resolve(&ledger, &typed.job).await?;
    let record = books::record(&ledger, id).await?;
    if !record.state.is_final() {
        return Err(CommandError::NotEnded {
            job: id,
            state: books::state_word(&record),
        });
    }
    let spec = ledger.spec(id).await?;
    let pipeline = pipeline::from_value(&spec).map_err(|found| CommandError::Spec {
        findings: found.0,
        sources: Vec::new(),
    })?;
    let assignment = run::new_job(&Prepared { pipeline, spec }, Scope::FailedOf(id), false);
    run::in_order(vec![assignment], &typed.engine, &ledger, context).await
}
