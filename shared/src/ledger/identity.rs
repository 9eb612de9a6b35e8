//! The identity of a store. It is made once, and tells whose queues and messages are on a broker.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Ledger;
use super::records::{advice, to_json};
use crate::id::StoreId;
use crate::store::{StoreError, layout};

/// The identity of a store.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StoreIdentity {
    /// The id.
    pub id: StoreId,
    /// Location of the store when the identity was made, for people: other processes may reach the store elsewhere.
    pub made_at: String,
}

impl fmt::Display for StoreIdentity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} (made at {})", self.id, self.made_at)
    }
}

impl Ledger {
    /// The identity of the store; none in a store that no leader or publisher has used with a broker, or only an older
    /// Drover.
    pub async fn identity(&self) -> Result<Option<StoreIdentity>, StoreError> {
        self.read_optional(&layout::identity(), advice::IDENTITY)
            .await
    }

    /// The identity of the store, made now if there is none. A worker never makes one: its store may be an empty folder
    /// in the place of a missing mount.
    pub async fn ensure_identity(&self) -> Result<StoreIdentity, StoreError> {
        if let Some(identity) = self.identity().await? {
            return Ok(identity);
        }
        let identity = StoreIdentity {
            id: StoreId::generate(),
            made_at: self.store.location().to_string(),
        };
        let key = layout::identity();
        let created = self.store.create(&key, to_json(&key, &identity)?).await;
        self.first_created(created, identity, &key, advice::IDENTITY)
            .await
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn a_store_gets_one_identity_whoever_asks_first() {
        let ledger = Ledger::new(Store::in_memory());
        assert_eq!(ledger.identity().await.unwrap(), None);
        let all = join_all((0..8).map(|_| ledger.ensure_identity())).await;
        let first = ledger.identity().await.unwrap().unwrap();
        for identity in all {
            assert_eq!(identity.unwrap(), first);
        }
    }
}
