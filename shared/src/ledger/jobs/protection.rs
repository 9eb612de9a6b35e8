//! The protection against commands on the workers of a job, for people.

use std::collections::BTreeSet;

use crate::id::{JobId, WorkerId};
use crate::ledger::Ledger;
use crate::ledger::records::{advice, to_json};
use crate::store::{StoreError, layout};

/// Most workers whose protection is read.
const MOST_WORKERS: usize = 64;

impl Ledger {
    /// Notes the protection in force on a worker of the job, in a line.
    pub async fn note_protection(
        &self,
        job: JobId,
        worker: &WorkerId,
        protection: &str,
    ) -> Result<(), StoreError> {
        let key = layout::protection(job, worker);
        self.store.put(&key, to_json(&key, &protection)?).await
    }

    /// The different protections in force on workers of the job; of very many workers, on some.
    pub async fn protections(&self, job: JobId) -> Result<BTreeSet<String>, StoreError> {
        let folder = layout::protections(job);
        let mut different = BTreeSet::new();
        for name in self.store.names(&folder).await?.iter().take(MOST_WORKERS) {
            match self.read(&folder.join(name)?, advice::DETAIL).await {
                Ok(protection) => different.insert(protection),
                Err(StoreError::Missing { .. }) => continue,
                Err(error) => return Err(error),
            };
        }
        Ok(different)
    }
}
