//! Output that cannot be stored.

use drover_shared::datum::Cause;

use crate::flow_error::FlowError;

pub(super) const CHANGED: &str = "it changed its kind while it was collected";

/// Fails the datum for the output file at `path`, which is relative to the output directory.
pub(super) fn refused(path: &str, problem: &str) -> FlowError {
    let message = format!("output /{path}: {problem}");
    FlowError::Datum(Cause::Output { message })
}
