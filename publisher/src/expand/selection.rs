//! Which files and directories a leaf wants.

use drover_shared::glob::{Glob, GlobTooComplex};
use drover_shared::pipeline::PfsInput;

/// The globs of a leaf.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    glob: Glob,
    exclude: Vec<Glob>,
    files_only: bool,
}

impl Selection {
    pub(super) fn of(leaf: &PfsInput) -> Self {
        Self {
            glob: leaf.glob.clone(),
            exclude: leaf.exclude.clone(),
            files_only: leaf.files_only,
        }
    }

    /// Whether the file at `path` is an input by itself.
    pub(super) fn takes_file(&self, path: &str) -> Result<bool, GlobTooComplex> {
        self.glob.matches(path)
    }

    /// Whether the directory at `path` is an input; `/` is the root.
    pub(super) fn takes_directory(&self, path: &str) -> Result<bool, GlobTooComplex> {
        Ok(!self.files_only && self.glob.matches(path)?)
    }

    /// Whether the file, or everything below the directory, at `path` is left out.
    pub(super) fn excludes(&self, path: &str) -> Result<bool, GlobTooComplex> {
        self.exclude
            .iter()
            .try_fold(false, |excluded, glob| Ok(excluded || glob.matches(path)?))
    }

    /// Whether anything below the directory at `path` can matter.
    pub(super) fn reaches_below(&self, path: &str) -> Result<bool, GlobTooComplex> {
        if self.excludes(path)? {
            return Ok(false);
        }
        if self.glob.may_match_below(path) || self.takes_directory("/")? {
            return Ok(true);
        }
        let slashes = path
            .match_indices('/')
            .map(|(at, _)| at)
            .filter(|at| *at > 0);
        slashes.chain([path.len()]).try_fold(false, |inside, end| {
            Ok(inside || self.takes_directory(&path[..end])?)
        })
    }
}
