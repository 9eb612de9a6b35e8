//! Middleware: notes every permitted action in the audit log.

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use drover_shared::ledger::AuditEntry;
use jiff::Timestamp;

use super::access::Who;
use crate::routing::api::Api;

/// Longest noted path, in characters.
const MAX_PATH: usize = 300;

/// Notes changing requests, with the status of the answer.
pub(crate) async fn note(State(api): State<Api>, request: Request, next: Next) -> Response {
    let is_action = !matches!(*request.method(), Method::GET | Method::HEAD);
    let who = request.extensions().get::<Who>().cloned();
    let (Some(Who(who)), true) = (who, is_action) else {
        return next.run(request).await;
    };
    let method = request.method().to_string();
    let path = request.uri().path().chars().take(MAX_PATH).collect();
    let response = next.run(request).await;
    let entry = AuditEntry {
        time: Timestamp::now(),
        who,
        method,
        path,
        status: response.status().as_u16(),
    };
    if let Err(error) = api.ledger().note_action(&entry).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(
            error,
            "an action could not be noted in the audit log: {} {}",
            entry.method,
            entry.path
        );
    }
    response
}
