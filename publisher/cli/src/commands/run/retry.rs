//! `drover retry`: runs the failed datums of a job, or of one group of failures, as a new job.

use crate::args::{Retry, Trial};
use crate::commands::run::local_run;
use crate::commands::{Context, UsageError};
use crate::exit::Exit;
use drover_core::catalog::{self, RetryError};
use drover_core::coordinator::Assignment;

pub(crate) async fn retry(typed: &Retry, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    let id = ledger.resolve(&typed.job).await?;
    let record = catalog::record(&ledger, id).await?;
    if !record.state.is_final() {
        return Err(UsageError::NotEnded {
            job: id,
            state: record.state.to_string(),
        }
        .into());
    }
    let assignment = catalog::retry(&ledger, &record, typed.group.as_deref())
        .await
        .map_err(with_findings)?;
    let assignment = Assignment {
        trace: context.trace_parent(),
        ..assignment
    };
    let trial = Trial::default();
    local_run::in_order(vec![assignment], trial, &typed.engine, &ledger, context).await
}

fn with_findings(error: RetryError) -> anyhow::Error {
    match error {
        RetryError::Spec(found) => UsageError::Spec {
            findings: found.0,
            sources: Vec::new(),
        }
        .into(),
        other => other.into(),
    }
}
