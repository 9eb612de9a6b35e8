//! What failed in a job, grouped by cause.

use drover_shared::datum::VerdictState;
use drover_shared::job::{CauseKey, FailureGroup, FailureGroups, JobRecord};
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use schemars::JsonSchema;
use serde::Serialize;

use super::jobs::JobPath;
use super::scan::Patience;
use crate::routing::error::Error;
use crate::routing::route::Ask;

/// What failed in a job.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Failures {
    groups: Vec<Group>,
    /// Failures that are in no group: of further kinds, or not looked at in the time there is.
    others: u64,
}

/// Failures that look alike.
#[derive(JsonSchema, Serialize)]
struct Group {
    /// What tells the group from others.
    key: CauseKey,
    /// What they have in common: `exit 1`, `timeout` …
    kind: String,
    /// Their last line with digits, paths and hexadecimal words folded.
    pattern: String,
    /// The last line of the first one.
    example: String,
    /// How many.
    count: u64,
    /// The first few datums, by index.
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

pub(crate) async fn show(Ask { api, path, .. }: Ask<JobPath>) -> Result<Failures, Error> {
    let record = api.named(path.id).await?;
    let failures = match api.live(path.id) {
        Some(live) => live.failures,
        None => told(api.ledger(), &record).await?,
    };
    Ok(Failures {
        groups: failures.by_count().into_iter().map(Group::from).collect(),
        others: failures.others,
    })
}

/// The failures as the end of the job wrote them down, else as far as they are found soon.
async fn told(ledger: &Ledger, record: &JobRecord) -> Result<FailureGroups, StoreError> {
    match ledger.failures(record.id).await {
        Ok(groups) if groups.count() >= record.datums.failed => Ok(groups),
        Ok(_) | Err(StoreError::Corrupt { .. }) => found(ledger, record).await,
        Err(error) => Err(error),
    }
}

async fn found(ledger: &Ledger, record: &JobRecord) -> Result<FailureGroups, StoreError> {
    let patience = Patience::begin();
    let mut groups = FailureGroups::default();
    for segment in ledger.segments(record.id).await? {
        if patience.is_over() {
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
