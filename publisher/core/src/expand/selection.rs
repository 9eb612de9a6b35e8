//! Which files and directories a leaf wants.

use drover_shared::glob::{Glob, GlobTooComplex};
use drover_shared::pipeline::PfsInput;

/// The globs of a leaf: what it takes, and what it leaves out.
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

    /// The directory below which everything lies that is an input or part of one; empty for the root.
    pub(super) fn directory(&self) -> &str {
        self.glob.directory()
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

    /// Whether the file at `path` is an input by itself or part of one.
    pub(super) fn concerns(&self, path: &str) -> Result<bool, GlobTooComplex> {
        if self.takes_file(path)? || self.any_above(path, Self::takes_directory)? {
            Ok(!self.excludes(path)? && !self.any_above(path, Self::excludes)?)
        } else {
            Ok(false)
        }
    }

    /// Whether anything below the directory at `path` can be an input or part of one.
    pub(super) fn reaches_below(&self, path: &str) -> Result<bool, GlobTooComplex> {
        let inside = self.glob.may_match_below(path)
            || self.takes_directory(path)?
            || self.any_above(path, Self::takes_directory)?;
        Ok(inside && !self.excludes(path)? && !self.any_above(path, Self::excludes)?)
    }

    /// Whether `holds` for any directory that `path` lies below.
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
