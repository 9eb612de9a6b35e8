//! Which files and directories a leaf selects.

use drover_shared::glob::{Glob, GlobTooComplex};
use drover_shared::pipeline::PfsInput;

/// The globs of a leaf: selected and excluded paths.
#[derive(Clone, Debug)]
pub struct Selection {
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

    /// A directory that contains all inputs; empty for the root.
    pub(super) fn directory(&self) -> &str {
        self.glob.directory()
    }

    /// True if the file at `path` is an input by itself.
    pub(super) fn takes_file(&self, path: &str) -> Result<bool, GlobTooComplex> {
        self.glob.matches(path)
    }

    /// True if the directory at `path` is an input; `/` is the root.
    pub(super) fn takes_directory(&self, path: &str) -> Result<bool, GlobTooComplex> {
        Ok(!self.files_only && self.glob.matches(path)?)
    }

    /// True if `path`, and everything below a directory at `path`, is excluded.
    pub(super) fn excludes(&self, path: &str) -> Result<bool, GlobTooComplex> {
        self.exclude
            .iter()
            .try_fold(false, |excluded, glob| Ok(excluded || glob.matches(path)?))
    }

    /// True if the file at `path` is an input or part of a directory input.
    pub(super) fn concerns(&self, path: &str) -> Result<bool, GlobTooComplex> {
        if self.takes_file(path)? || self.any_above(path, Self::takes_directory)? {
            Ok(!self.excludes(path)? && !self.any_above(path, Self::excludes)?)
        } else {
            Ok(false)
        }
    }

    /// True if anything below the directory at `path` can be an input or part of a directory input.
    pub(super) fn reaches_below(&self, path: &str) -> Result<bool, GlobTooComplex> {
        let inside = self.glob.may_match_below(path)
            || self.takes_directory(path)?
            || self.any_above(path, Self::takes_directory)?;
        Ok(inside && !self.excludes(path)? && !self.any_above(path, Self::excludes)?)
    }

    /// True if `holds` for any ancestor directory of `path`.
    fn any_above(
        &self,
        path: &str,
        holds: fn(&Self, &str) -> Result<bool, GlobTooComplex>,
    ) -> Result<bool, GlobTooComplex> {
        let mut above = path
            .match_indices('/')
            .map(|(slash, _)| &path[..slash.max(1)]);
        above.try_fold(false, |any, directory| Ok(any || holds(self, directory)?))
    }
}
