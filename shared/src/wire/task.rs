//! Publisher → workers: datums to do.

use serde::{Deserialize, Serialize};

use crate::datum::Datum;
use crate::id::JobId;

/// Datums to do, in one message: one, or a set.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Task {
    /// The job; its spec is in the ledger.
    pub job: JobId,
    /// The datums, in order, not empty.
    pub datums: Vec<Datum>,
    /// How many datums the job has, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}
