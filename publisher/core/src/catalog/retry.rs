//! Retries of a job: a new job with the unsuccessful datums, all or by one cause.

use drover_shared::id::JobId;
use drover_shared::job::{CauseKey, FailureGroup, FailureGroups, JobRecord};
use drover_shared::ledger::{Ledger, Scope};
use drover_shared::names::first_names;
use drover_shared::pipeline::{self, Findings};
use drover_shared::store::StoreError;

use super::failures;
use crate::coordinator::Assignment;

/// Groups named in the error about an unknown group, at most.
const MOST_NAMED: usize = 8;

/// Reasons for refusing a retry.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The spec is not valid for the version.
    #[error("the spec of the job is not valid here")]
    Spec(Findings),
    /// The job ran only the first datums.
    #[error(
        "job {job} ran only the first datums of its pipeline, which a retry would publish as all; run the pipeline: what succeeded is skipped"
    )]
    First {
        /// The job.
        job: JobId,
    },
    /// The job has no such failures.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reasons for refusing the retry of one cause.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// No group has the key, or several groups begin with the given key.
    #[error("{}", missing(*job, typed, known))]
    Missing {
        /// The job.
        job: JobId,
        /// The key as given.
        typed: String,
        /// The failures of the job.
        known: FailureGroups,
    },
    /// The job was cut short.
    #[error(
        "{count} datums of job {job} were never run, so that a retry of one cause would not be all it leaves open; \
         retry the whole job, which runs these and what failed"
    )]
    CutShort {
        /// The job.
        job: JobId,
        /// Number of datums that never ended.
        count: u64,
    },
}

/// `not one group of failures of job 01… has a key that begins with "77"; its groups are 0123456789abcdef (12 × exit 1:
/// 'no such column')`.
fn missing(job: JobId, typed: &str, known: &FailureGroups) -> String {
    let groups = known.by_count();
    if groups.is_empty() {
        return format!("nothing failed in job {job}, so there is no group {typed:?} to retry");
    }
    let name = |group: &&FailureGroup| format!("{} ({} × {group})", group.key(), group.count);
    let named: Vec<String> = groups.iter().map(name).collect();
    format!(
        "not one group of failures of job {job} has a key that begins with {typed:?}; its groups are {}",
        first_names(&named, MOST_NAMED)
    )
}

/// Submits a new job that runs the datums that did not succeed in an ended job, and takes over the rest. With `group`, a
/// key of a cause or an unambiguous beginning of a key, only the failures of that cause run.
pub async fn retry(
    ledger: &Ledger,
    ended: &JobRecord,
    group: Option<&str>,
) -> Result<Assignment, RetryError> {
    if ended.first.is_some() {
        return Err(RetryError::First { job: ended.id });
    }
    let scope = match group {
        None => Scope::FailedOf(ended.id),
        Some(typed) => Scope::GroupOf {
            job: ended.id,
            group: group_of(ledger, ended, typed).await?,
        },
    };
    let spec = ledger.spec(ended.id).await?;
    let pipeline = pipeline::from_value(&spec).map_err(RetryError::Spec)?;
    Ok(Assignment::new(pipeline, spec, scope, false))
}

/// The cause that `typed` names. Refused if some datums never ended: such a datum can neither be skipped nor be taken
/// over as failed.
async fn group_of(ledger: &Ledger, ended: &JobRecord, typed: &str) -> Result<CauseKey, RetryError> {
    let known = failures(ledger, ended).await?;
    let job = ended.id;
    match (the_one(&known, typed), ended.datums.outstanding()) {
        (Some(group), 0) => Ok(group),
        (Some(_), count) => Err(GroupError::CutShort { job, count }.into()),
        (None, _) => {
            let typed = typed.to_owned();
            Err(GroupError::Missing { job, typed, known }.into())
        }
    }
}

/// The only group whose key begins with the given text.
fn the_one(known: &FailureGroups, typed: &str) -> Option<CauseKey> {
    let mut keys = known
        .groups
        .iter()
        .map(FailureGroup::key)
        .filter(|key| !typed.is_empty() && key.to_string().starts_with(typed));
    let first = keys.next()?;
    keys.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use drover_shared::datum::Cause;

    use super::*;

    fn known() -> FailureGroups {
        let mut known = FailureGroups::default();
        for (index, code) in [(0, 1), (1, 2), (2, 2)] {
            let last_line = "no such column".to_owned();
            known.add(index, &Cause::Exit { code, last_line });
        }
        known
    }

    #[test]
    fn a_group_is_named_by_as_much_of_its_key_as_tells_it_from_others() {
        let known = known();
        let keys: Vec<String> = known
            .groups
            .iter()
            .map(|group| group.key().to_string())
            .collect();
        assert_ne!(keys[0][..2], keys[1][..2], "the rows below need that");
        let rows = [
            (&keys[0][..], Some(&keys[0])),
            (&keys[0][..2], Some(&keys[0])),
            (&keys[1][..2], Some(&keys[1])),
            ("", None),
            ("zz", None),
        ];
        for (typed, expected) in rows {
            let found = the_one(&known, typed).map(|key| key.to_string());
            assert_eq!(found.as_ref(), expected, "{typed:?}");
        }
    }

    #[test]
    fn a_group_that_is_not_there_is_answered_with_those_that_are() {
        let job: JobId = "01jd9x3k5m7n9p1q3r5s7t9v0w".parse().unwrap();
        insta::assert_snapshot!(missing(job, "77", &known()), @r#"not one group of failures of job 01jd9x3k5m7n9p1q3r5s7t9v0w has a key that begins with "77"; its groups are 7d4153b587c59a82 (2 × exit 2: 'no such column'), 08fc0df8ff6f6630 (1 × exit 1: 'no such column')"#);
        insta::assert_snapshot!(missing(job, "77", &FailureGroups::default()), @r#"nothing failed in job 01jd9x3k5m7n9p1q3r5s7t9v0w, so there is no group "77" to retry"#);
    }
}
