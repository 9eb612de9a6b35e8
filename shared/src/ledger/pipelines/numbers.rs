//! Objects of a pipeline that are named by a number, such as its revisions. The highest number counts.

use crate::ledger::Ledger;
use crate::store::{StoreError, StoreKey};

impl Ledger {
    /// The numbers of the objects below `prefix` whose names are a number and `suffix`, ascending. Other names are ignored.
    pub(super) async fn numbers(
        &self,
        prefix: &StoreKey,
        suffix: &str,
    ) -> Result<Vec<u64>, StoreError> {
        let names = self.store.names(prefix).await?;
        let numbers = names.iter();
        let mut numbers: Vec<u64> = numbers
            .filter_map(|name| name.strip_suffix(suffix)?.parse().ok())
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}
