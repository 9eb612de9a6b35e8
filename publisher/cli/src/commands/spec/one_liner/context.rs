//! The surroundings in which a one-liner is read.

use std::path::Path;

use crate::commands::spec::shell::PipeShell;

/// Environment of a one-liner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OneLinerContext<'a> {
    /// Folder of the store; none for a bucket.
    pub store: Option<&'a Path>,
    pub current_dir: &'a Path,
    pub pipes: PipeShell,
}
