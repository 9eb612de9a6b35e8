//! How the verdict of a datum is committed.

use serde::{Deserialize, Serialize};

/// How the verdict of a datum is committed. All processes agree; see
/// [`Ledger::agree_on_sets`](crate::ledger::Ledger::agree_on_sets).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitUnit {
    /// On its own.
    Single,
    /// Together with the set, named by the index of the first datum.
    Set(u64),
}
