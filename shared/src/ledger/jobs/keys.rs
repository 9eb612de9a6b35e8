//! Idempotency keys of submissions: a repeated submission gets the jobs of the first one.

use serde::{Deserialize, Serialize};

use crate::id::{IdempotencyKey, JobId};
use crate::ledger::Ledger;
use crate::ledger::records::{advice, to_json};
use crate::store::{StoreError, layout};

/// The first submission with a key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct KeyedSubmission {
    /// The key, for people.
    key: IdempotencyKey,
    /// The jobs, in the order of the submission.
    jobs: Vec<JobId>,
}

impl Ledger {
    /// The jobs of the first submission with the key, which are `jobs` if there was none. The record is written before the
    /// jobs, so a job of an earlier submission need not exist: its submitter may have died in between.
    pub async fn jobs_of_key(
        &self,
        key: &IdempotencyKey,
        jobs: Vec<JobId>,
    ) -> Result<Vec<JobId>, StoreError> {
        let at = layout::submission_key(key);
        let mine = KeyedSubmission {
            key: key.clone(),
            jobs,
        };
        let created = self.store.create(&at, to_json(&at, &mine)?).await;
        let first = self.first_created(created, mine, &at, advice::KEY).await?;
        Ok(first.jobs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn the_first_submission_with_a_key_counts() {
        let ledger = Ledger::new(Store::in_memory());
        let [one, two] = ["nightly", "weekly"].map(|key| key.parse().unwrap());
        let [first, second] = [JobId::generate(), JobId::generate()];
        for jobs in [vec![first], vec![second]] {
            assert_eq!(ledger.jobs_of_key(&one, jobs).await.unwrap(), [first]);
        }
        let other = ledger.jobs_of_key(&two, vec![second]).await.unwrap();
        assert_eq!(other, [second]);
    }
}
