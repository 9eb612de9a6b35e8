//! Roles of clients.

use schemars::JsonSchema;
use serde::Serialize;

/// Permissions of a client.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Permits every action.
    Full,
    /// Permits reading only.
    Read,
}
