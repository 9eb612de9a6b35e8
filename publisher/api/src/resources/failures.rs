//! Failures of a job, grouped by cause.

use drover_shared::datum::VerdictState;
use drover_shared::job::{CauseKey, FailureGroup, FailureGroups, JobRecord};
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use schemars::JsonSchema;
use serde::Serialize;

use super::jobs::JobPath;
use super::scan::TimeBudget;
use crate::routing::error::Error;
use crate::routing::route::ApiRequest;

/// Failures of a job.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Failures {
    groups: Vec<Group>,
    /// Failures without a group: of further kinds, or not examined in the time there is.
    others: u64,
}

/// Failures with the same cause.
#[derive(JsonSchema, Serialize)]
struct Group {
    /// Key of the group.
    key: CauseKey,
    /// Kind of the failures: `exit 1`, `timeout` …
    kind: String,
    /// The last line, with digits, paths and hexadecimal words masked.
    pattern: String,
    /// The last line of the first failure.
    example: String,
    /// Number of failures.
    count: u64,
    /// Indexes of the first few datums.
    samples: Vec<u64>,
}

impl From<&FailureGroup> for Group {
    fn from(group: &FailureGroup) -> Self {
        Self {
            key: group.key(),
            kind: group.kind.clone(),
            pattern: group.pattern.clone(),
            example: group.example.clone(),
            count: group.count,
            samples: group.samples.clone(),
        }
    }
}

pub(crate) async fn show(
    ApiRequest { api, path, .. }: ApiRequest<JobPath>,
) -> Result<Failures, Error> {
    let record = api.named(path.id).await?;
    let failures = match api.live(path.id) {
        Some(live) => live.failures,
        None => recorded_or_scanned(api.ledger(), &record).await?,
    };
    Ok(Failures {
        groups: failures.by_count().into_iter().map(Group::from).collect(),
        others: failures.others,
    })
}

/// The failures as recorded at the end of the job, else as a bounded scan finds them.
async fn recorded_or_scanned(
    ledger: &Ledger,
    record: &JobRecord,
) -> Result<FailureGroups, StoreError> {
    match ledger.failures(record.id).await {
        Ok(groups) if groups.count() >= record.datums.failed => Ok(groups),
        Ok(_) | Err(StoreError::Corrupt { .. }) => scan(ledger, record).await,
        Err(error) => Err(error),
    }
}

async fn scan(ledger: &Ledger, record: &JobRecord) -> Result<FailureGroups, StoreError> {
    let budget = TimeBudget::begin();
    let mut groups = FailureGroups::default();
    for segment in ledger.segments(record.id).await? {
        if budget.is_over() {
            break;
        }
        let verdicts = ledger.verdicts(record.id, segment).await?;
        let failed = |state| state == VerdictState::Failed;
        for verdict in verdicts.iter().filter(|verdict| failed(verdict.state)) {
            if let Some(cause) = &verdict.cause {
                groups.add(verdict.index, cause);
            }
        }
    }
    groups.others += record.datums.failed.saturating_sub(groups.count());
    Ok(groups)
}
