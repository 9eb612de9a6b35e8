//! The surroundings of a leaf.

use crate::id::PipelineName;

/// The surroundings of a leaf in the input tree.
#[derive(Clone, Copy)]
pub(super) struct TreeContext<'tree> {
    /// The pipeline, if its name is valid.
    pub(super) pipeline: Option<&'tree PipelineName>,
    /// True below a `join`.
    pub(super) join: bool,
    /// True below a `group`.
    pub(super) group: bool,
}
