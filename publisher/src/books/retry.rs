//! The datums of a job that did not succeed, as a new job.

use drover_shared::job::JobRecord;
use drover_shared::ledger::{Ledger, Scope};
use drover_shared::pipeline::{self, Findings};
use drover_shared::store::StoreError;

use crate::coordinator::Assignment;

/// Why a job cannot be retried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RetryError {
    /// Its spec is not valid here.
    #[error("the spec of the job is not valid here")]
    Spec(Findings),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A new job that runs again what did not succeed in one that has ended, and takes over the rest.
pub(crate) async fn retry(ledger: &Ledger, ended: &JobRecord) -> Result<Assignment, RetryError> {
    let spec = ledger.spec(ended.id).await?;
    let pipeline = pipeline::from_value(&spec).map_err(RetryError::Spec)?;
    let scope = Scope::FailedOf(ended.id);
    Ok(Assignment::new(pipeline, spec, scope, false))
}
