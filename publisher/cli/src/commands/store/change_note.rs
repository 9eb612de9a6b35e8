//! Changes by the command line, noted in the audit log as those by the API.

use drover_shared::ledger::{AuditEntry, Ledger};
use drover_shared::process::process_name;
use jiff::Timestamp;

/// Notes a change that was made: `method` and `path` are those of a request with the same effect.
pub(super) async fn note_change(ledger: &Ledger, method: &str, path: String) -> anyhow::Result<()> {
    let entry = AuditEntry {
        time: Timestamp::now(),
        who: process_name(),
        method: method.to_owned(),
        path,
        status: 200,
    };
    Ok(ledger.note_action(&entry).await?)
}
