//! Warnings that are printed once.

use bytes::Bytes;

use super::Ledger;
use crate::store::{StoreError, layout};

impl Ledger {
    /// True if no process has asked for the text in the store before.
    pub async fn is_first_notice(&self, text: &str) -> Result<bool, StoreError> {
        let key = layout::notice(text);
        let written = self.store.create(&key, Bytes::from(text.to_owned()));
        match written.await {
            Ok(()) => Ok(true),
            Err(StoreError::Exists { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn a_notice_comes_once() {
        let ledger = Ledger::new(Store::in_memory());
        for (text, expected) in [("one", true), ("one", false), ("two", true)] {
            assert_eq!(ledger.is_first_notice(text).await.unwrap(), expected);
        }
    }
}
