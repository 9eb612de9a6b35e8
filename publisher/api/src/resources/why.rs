//! Reasons why a job makes no progress.

use drover_core::catalog;
use drover_shared::job::JobRecord;
use drover_shared::ledger::Submission;
use drover_shared::store::StoreError;

use crate::routing::api::Api;

/// Reason why an active job makes no progress, as far as the current process can tell.
pub(crate) async fn why(
    api: &Api,
    record: &JobRecord,
    submission: Option<&Submission>,
    stop_requested: bool,
) -> Result<Option<String>, StoreError> {
    if stop_requested {
        let ending =
            "a stop was requested; the job ends as soon as its running commands have been ended";
        return Ok(Some(ending.to_owned()));
    }
    let broker = api.broker_handle().get().map(AsRef::as_ref);
    catalog::obstacle(api.ledger(), broker, record, submission).await
}
