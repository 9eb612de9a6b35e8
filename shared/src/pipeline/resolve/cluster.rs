//! What only Kubernetes needs: checked early, where the person is, and kept for the operator.

use crate::pipeline::report::Report;
use crate::pipeline::spec;

/// Checks everything that only Kubernetes needs.
pub(super) fn check(_spec: &spec::Pipeline, _report: &mut Report<'_>) {}
