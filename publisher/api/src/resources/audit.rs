//! The audit log.

use drover_shared::ledger::AuditEntry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::routing::body::Empty;
use crate::routing::error::Error;
use crate::routing::query::Bounded;
use crate::routing::route::ApiRequest;

/// Page of the log.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct AuditQuery {
    /// Only actions before the entry with this id.
    before: Option<String>,
    /// How many actions, at most.
    #[serde(default)]
    limit: Bounded<100, 500>,
}

/// Actions, newest first.
#[derive(JsonSchema, Serialize)]
pub(crate) struct AuditPage {
    actions: Vec<AuditedAction>,
    /// Value of `before` for the next page; null at the end.
    next: Option<String>,
}

/// An action with its id.
#[derive(JsonSchema, Serialize)]
struct AuditedAction {
    id: String,
    #[serde(flatten)]
    entry: AuditEntry,
}

pub(crate) async fn list(
    ApiRequest { api, query, .. }: ApiRequest<Empty, AuditQuery>,
) -> Result<AuditPage, Error> {
    let most = query.limit.get();
    let found = api.ledger().actions(query.before.as_deref(), most).await?;
    let actions: Vec<AuditedAction> = found
        .into_iter()
        .map(|(id, entry)| AuditedAction { id, entry })
        .collect();
    let last = actions.last().filter(|_| actions.len() == most);
    Ok(AuditPage {
        next: last.map(|action| action.id.clone()),
        actions,
    })
}
