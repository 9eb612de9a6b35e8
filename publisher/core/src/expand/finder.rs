//! Selects a leaf's files and directories from a sorted listing, in one pass.

use std::collections::VecDeque;

use drover_shared::datum::{ContentTag, InputKind, TreeHash, short_version};
use drover_shared::glob::GlobTooComplex;
use drover_shared::store::Entry;

use super::selection::Selection;

/// A file or directory selected as an input.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct MatchedInput {
    pub(super) path: String,
    pub(super) kind: InputKind,
    pub(super) size: u64,
    pub(super) tag: ContentTag,
    pub(super) version: Option<String>,
}

/// Consumes the files of a listing in byte order of their paths; the paths imply the directories.
///
/// A directory precedes its content in the output, but its tag is known only after its last file. Inputs inside the
/// directory wait until then, so a glob that selects directories *and* their content (`/**`) holds a whole
/// directory in memory.
pub(super) struct InputFinder {
    selection: Selection,
    /// Directories of the last file, outermost (the root) first.
    open: Vec<OpenDirectory>,
    /// Selected inputs not yet returned; `None` for an open directory.
    queue: VecDeque<Option<MatchedInput>>,
    /// Number of queue places already returned.
    returned: usize,
}

/// A directory with files still to come.
struct OpenDirectory {
    /// Path; empty for the root.
    path: String,
    /// True if everything below is excluded.
    excluded: bool,
    /// True if the directory is an input, provided it has a file.
    selected: bool,
    /// Queue place, counted from the start of the listing, and the content so far.
    passed: Option<(usize, TreeHash)>,
}

impl InputFinder {
    pub(super) fn new(selection: Selection) -> Result<Self, GlobTooComplex> {
        let mut finder = Self {
            selection,
            open: Vec::new(),
            queue: VecDeque::new(),
            returned: 0,
        };
        finder.enter(String::new())?;
        // The root is an input even if empty.
        finder.claim_places();
        Ok(finder)
    }

    /// The next input in order, once complete.
    pub(super) fn next(&mut self) -> Option<MatchedInput> {
        let found = self.queue.front_mut()?.take()?;
        self.queue.pop_front();
        self.returned += 1;
        Some(found)
    }

    /// Consumes the next file of the listing; calls `tag` only if the file is part of an input.
    pub(super) fn pass<E: From<GlobTooComplex>>(
        &mut self,
        entry: &Entry,
        tag: impl FnOnce(&Entry) -> Result<ContentTag, E>,
    ) -> Result<(), E> {
        self.go_to_directory_of(&entry.path)?;
        if self.open.last().is_some_and(|innermost| innermost.excluded)
            || self.selection.excludes(&entry.path)?
        {
            return Ok(());
        }
        let by_itself = self.selection.takes_file(&entry.path)?;
        if !by_itself && !self.open.iter().any(|directory| directory.selected) {
            return Ok(());
        }
        let tag = tag(entry)?;
        self.claim_places();
        for directory in &mut self.open {
            if let Some((_, subtree)) = &mut directory.passed {
                let relative = &entry.path[directory.path.len()..];
                subtree.add(relative, entry.size, &tag, &entry.version);
            }
        }
        if by_itself {
            self.queue.push_back(Some(MatchedInput {
                path: entry.path.clone(),
                kind: InputKind::File,
                size: entry.size,
                version: (tag.as_str() != entry.version).then(|| short_version(&entry.version)),
                tag,
            }));
        }
        Ok(())
    }

    /// Marks the end of the listing.
    pub(super) fn finish(&mut self) {
        while self
            .open
            .pop()
            .map(|directory| self.close(directory))
            .is_some()
        {}
    }

    /// Closes directories outside of `path` and opens the directories of `path`.
    fn go_to_directory_of(&mut self, path: &str) -> Result<(), GlobTooComplex> {
        while let Some(left) = self
            .open
            .pop_if(|innermost| !lies_below(path, &innermost.path))
        {
            self.close(left);
        }
        let mut begin = self.open.last().map_or(0, |innermost| innermost.path.len()) + 1;
        while let Some(length) = path[begin..].find('/') {
            self.enter(path[..begin + length].to_owned())?;
            begin += length + 1;
        }
        Ok(())
    }

    fn enter(&mut self, path: String) -> Result<(), GlobTooComplex> {
        let around = self.open.last().is_some_and(|directory| directory.excluded);
        let excluded = around || self.selection.excludes(&path)?;
        let selected = !excluded && self.selection.takes_directory(&path)?;
        self.open.push(OpenDirectory {
            path,
            excluded,
            selected,
            passed: None,
        });
        Ok(())
    }

    /// Assigns queue places to selected directories without one.
    fn claim_places(&mut self) {
        for directory in self
            .open
            .iter_mut()
            .filter(|directory| directory.selected && directory.passed.is_none())
        {
            directory.passed = Some((self.returned + self.queue.len(), TreeHash::default()));
            self.queue.push_back(None);
        }
    }

    fn close(&mut self, directory: OpenDirectory) {
        let Some((place, subtree)) = directory.passed else {
            return;
        };
        let path = if directory.path.is_empty() {
            "/".to_owned()
        } else {
            directory.path
        };
        let found = MatchedInput {
            path,
            kind: InputKind::Dir,
            size: subtree.size(),
            tag: subtree.tag(),
            version: subtree.version_beside_tag(),
        };
        self.queue[place - self.returned] = Some(found);
    }
}

/// True if `path` is below `directory`; the empty path is the root.
fn lies_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.starts_with('/'))
}
