//! The trace context of the caller, from the environment. The variable is W3C's, as for all programs of a trace.

use drover_shared::id::InvalidId;
use drover_shared::trace_parent::TraceParent;

/// Reads the trace context; none if the variable is unset or empty.
pub fn trace_parent() -> Option<Result<TraceParent, InvalidId>> {
    #[expect(clippy::disallowed_methods, reason = "clap would make a flag of it")]
    let text = std::env::var_os(TraceParent::VARIABLE)?;
    let text = text.to_string_lossy();
    (!text.is_empty()).then(|| text.parse())
}
