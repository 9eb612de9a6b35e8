//! The audit log: actions on pipelines and jobs through the HTTP API.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::Ledger;
use super::records::{advice, to_json};
use crate::store::{StoreError, layout};

/// Entries that are kept; older ones are removed.
const MAX_ENTRIES: usize = 10_000;
/// Entries above [`MAX_ENTRIES`] that are removed at once, so that not each entry costs a removal.
const REMOVED_AT_ONCE: usize = 100;

/// An action.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct AuditEntry {
    /// Time of the answer.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// The token: its role and the first characters of its hash, `full 3f9a01bc`; `local` without a token.
    pub who: String,
    /// Method of the request.
    pub method: String,
    /// Path of the request, which names the pipeline or the job.
    pub path: String,
    /// Status of the answer: below 400 the action was done.
    pub status: u16,
}

impl Ledger {
    /// Adds an action to the audit log.
    pub async fn note_action(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let name = Ulid::generate().to_string().to_ascii_lowercase();
        let key = layout::audit_entry(&name);
        self.store.create(&key, to_json(&key, entry)?).await?;
        let names = self.store.names(&layout::audit()).await?;
        if names.len() < MAX_ENTRIES + REMOVED_AT_ONCE {
            return Ok(());
        }
        let old = &names[..names.len() - MAX_ENTRIES];
        let old = old.iter().map(|name| layout::audit().join(name));
        self.store.delete_each(old.collect::<Result<_, _>>()?).await
    }

    /// Actions, newest first: at most `most` of them, each with its name, before the entry with the name `before`.
    pub async fn actions(
        &self,
        before: Option<&str>,
        most: usize,
    ) -> Result<Vec<(String, AuditEntry)>, StoreError> {
        let names = self.store.names(&layout::audit()).await?;
        let mut actions = Vec::new();
        for name in names.iter().rev() {
            let Some(stem) = name.strip_suffix(".json") else {
                continue;
            };
            if before.is_some_and(|before| stem >= before) {
                continue;
            }
            if actions.len() == most {
                break;
            }
            let key = layout::audit_entry(stem);
            // An entry may have been removed meanwhile.
            if let Some(entry) = self.read_optional(&key, advice::AUDIT).await? {
                actions.push((stem.to_owned(), entry));
            }
        }
        Ok(actions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn actions_are_told_newest_first_and_page_by_page() {
        let ledger = Ledger::new(Store::in_memory());
        let entry = |path: &str| AuditEntry {
            time: Timestamp::UNIX_EPOCH,
            who: "local".to_owned(),
            method: "POST".to_owned(),
            path: path.to_owned(),
            status: 202,
        };
        for path in ["/1", "/2", "/3"] {
            ledger.note_action(&entry(path)).await.unwrap();
            // Names are times of a millisecond.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        let first = ledger.actions(None, 2).await.unwrap();
        let told: Vec<_> = first.iter().map(|(_, entry)| entry.path.as_str()).collect();
        assert_eq!(told, ["/3", "/2"]);
        let rest = ledger.actions(Some(&first[1].0), 2).await.unwrap();
        assert_eq!(rest.len(), 1);
        assert_eq!(rest[0].1, entry("/1"));
    }
}
