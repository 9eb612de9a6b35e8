//! Finding a leaf's files and directories in a sorted listing, in one pass.

use std::collections::VecDeque;

use drover_shared::datum::{ContentTag, InputKind};
use drover_shared::glob::GlobTooComplex;
use drover_shared::store::Entry;

use super::selection::Selection;
use super::subtree::Subtree;

/// A file or directory that is an input.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Found {
    pub(super) path: String,
    pub(super) kind: InputKind,
    pub(super) size: u64,
    pub(super) tag: ContentTag,
}

/// Takes the files of a listing in byte order of their paths; directories are those that the paths imply.
///
/// A directory stands before all that lies in it, but what stands for its content is known only when
/// its last file has passed. What is found inside waits that long; so a glob that takes directories *and*
/// what lies in them (`/**`) keeps all that it finds in one of them.
pub(super) struct Finder {
    selection: Selection,
    /// The directories around the last file, outermost (the root) first.
    open: Vec<OpenDirectory>,
    /// What was found and not yet handed out; `None` for a directory that is still open.
    queue: VecDeque<Option<Found>>,
    /// How many places of the queue were handed out.
    handed_out: usize,
}

/// A directory whose files are passing.
struct OpenDirectory {
    /// Its path; empty for the root.
    path: String,
    /// Whether everything below it is left out.
    excluded: bool,
    /// Whether it is an input, once a file of it has passed.
    wanted: bool,
    /// Its place, counted from the beginning of the listing, and what has passed of it.
    passed: Option<(usize, Subtree)>,
}

impl Finder {
    pub(super) fn new(selection: Selection) -> Result<Self, GlobTooComplex> {
        let mut finder = Self {
            selection,
            open: Vec::new(),
            queue: VecDeque::new(),
            handed_out: 0,
        };
        finder.enter(String::new())?;
        // The root is an input even when it is empty.
        finder.claim_places();
        Ok(finder)
    }

    /// The next input in order, as soon as all is known of it.
    pub(super) fn next(&mut self) -> Option<Found> {
        let found = self.queue.front_mut()?.take()?;
        self.queue.pop_front();
        self.handed_out += 1;
        Some(found)
    }

    /// Takes the next file of the listing; `tag` is asked for what stands for its content, if it matters.
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
        if !by_itself && !self.open.iter().any(|directory| directory.wanted) {
            return Ok(());
        }
        let tag = tag(entry)?;
        self.claim_places();
        for directory in &mut self.open {
            if let Some((_, subtree)) = &mut directory.passed {
                subtree.add(&entry.path[directory.path.len()..], entry.size, &tag);
            }
        }
        if by_itself {
            self.queue.push_back(Some(Found {
                path: entry.path.clone(),
                kind: InputKind::File,
                size: entry.size,
                tag,
            }));
        }
        Ok(())
    }

    /// Tells that there are no more files.
    pub(super) fn finish(&mut self) {
        while self
            .open
            .pop()
            .map(|directory| self.close(directory))
            .is_some()
        {}
    }

    /// Leaves the directories that `path` does not lie in and enters those that it does.
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
        let wanted = !excluded && self.selection.takes_directory(&path)?;
        self.open.push(OpenDirectory {
            path,
            excluded,
            wanted,
            passed: None,
        });
        Ok(())
    }

    /// Gives all wanted directories that have none yet their places in the queue.
    fn claim_places(&mut self) {
        for directory in self
            .open
            .iter_mut()
            .filter(|directory| directory.wanted && directory.passed.is_none())
        {
            directory.passed = Some((self.handed_out + self.queue.len(), Subtree::default()));
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
        let found = Found {
            path,
            kind: InputKind::Dir,
            size: subtree.size(),
            tag: subtree.tag(),
        };
        self.queue[place - self.handed_out] = Some(found);
    }
}

/// Whether `path` lies below `directory`; all paths lie below the root, the empty one.
fn lies_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.starts_with('/'))
}
