//! Output that cannot be stored.

use drover_shared::datum::Cause;

use crate::failure::Failure;

pub(super) const CHANGED: &str = "it changed its kind while it was collected";

/// Fails the datum for the output file at `path`, which is relative to the output directory.
pub(super) fn refused(path: &str, problem: &str) -> Failure {
    let message = format!("output /{path}: {problem}");
    Failure::Datum(Cause::Output { message })
}
