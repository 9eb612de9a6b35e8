//! An entry of `code`, taken apart.

use drover_shared::glob::Glob;
use drover_shared::store::layout;

/// The most files of an entry.
pub(super) const MOST: usize = 10_000;

/// Directories beside the user's code without code of the user.
pub(super) const SKIPPED: [&str; 3] = ["__pycache__", ".git", layout::DROVER_FOLDER];

/// A directory, and the glob for the files below the directory.
pub(super) struct CodeEntry<'text> {
    /// The entry as written.
    pub(super) text: &'text str,
    /// The directory, without a slash at the end.
    pub(super) directory: &'text str,
    /// None if all files of the directory are meant.
    pub(super) glob: Option<Glob>,
}

impl<'text> CodeEntry<'text> {
    /// An entry that means all files of a directory.
    pub(super) fn directory(text: &'text str) -> Self {
        Self {
            text,
            directory: text.trim_end_matches('/'),
            glob: None,
        }
    }

    /// An entry with wildcards; none for a plain path.
    pub(super) fn glob(text: &'text str) -> Option<Self> {
        let wildcard = text.find(['*', '?', '[', '{', '(', '!', '@', '+', '\\'])?;
        let (directory, rest) = match text[..wildcard].rfind('/') {
            Some(slash) => (&text[..slash], &text[slash..]),
            None => ("", text),
        };
        let glob = rest.parse().ok()?;
        Some(Self {
            text,
            directory,
            glob: Some(glob),
        })
    }

    /// The name of a file by its path below the directory, which begins with a slash.
    pub(super) fn name_of(&self, path: &str) -> String {
        let name = format!("{}{path}", self.directory);
        if self.directory.is_empty() && !self.text.starts_with('/') {
            name[1..].to_owned()
        } else {
            name
        }
    }

    /// True if the file at `path` below the directory belongs to the entry: `path` or a directory above it matches.
    pub(super) fn contains(&self, path: &str) -> bool {
        let directories = path.rsplit_once('/').map_or("", |(above, _)| above);
        if directories.split('/').any(|name| SKIPPED.contains(&name)) {
            return false;
        }
        let Some(glob) = &self.glob else { return true };
        let above = path.match_indices('/').map(|(slash, _)| &path[..slash]);
        let mut candidates = above.skip(1).chain([path]);
        candidates.any(|path| glob.matches(path).unwrap_or(true))
    }
}
