//! Folders as values, for comparing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

/// Every file below a folder with its bytes. Links and empty directories are shown as such.
#[derive(Clone, Eq, PartialEq)]
pub struct Tree(BTreeMap<String, String>);

/// The tree with exactly these files.
pub fn files<const N: usize>(files: [(&str, &str); N]) -> Tree {
    Tree(
        files
            .into_iter()
            .map(|(path, content)| (path.to_owned(), content.to_owned()))
            .collect(),
    )
}

impl Tree {
    /// The files below `folder`; none if the folder does not exist.
    pub fn read(folder: &Path) -> Self {
        let mut tree = BTreeMap::new();
        if folder.exists() {
            walk(folder, folder, &mut tree);
        }
        Self(tree)
    }

    /// The paths of all files, sorted.
    pub fn paths(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The number of files.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Paths with a content other than in `expected`, or on one side only.
    pub fn differences(&self, expected: &BTreeMap<String, String>) -> Vec<String> {
        let all: BTreeSet<&String> = self.0.keys().chain(expected.keys()).collect();
        let differ = all
            .into_iter()
            .filter(|path| self.0.get(*path) != expected.get(*path));
        differ.cloned().collect()
    }

    /// True if there are no files.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn walk(root: &Path, folder: &Path, tree: &mut BTreeMap<String, String>) {
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()));
    let mut entries = entries.flatten().peekable();
    if folder != root && entries.peek().is_none() {
        tree.insert(
            format!("{}/", name(root, folder)),
            "(an empty directory)".to_owned(),
        );
    }
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().expect("an entry has a type");
        if kind.is_dir() {
            walk(root, &path, tree);
        } else if kind.is_file() {
            let bytes = fs::read(&path)
                .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
            tree.insert(name(root, &path), text(bytes));
        } else {
            tree.insert(name(root, &path), format!("({kind:?})"));
        }
    }
}

fn name(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .expect("it lies below")
        .to_string_lossy()
        .into_owned()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| format!("(bytes) {}", error.as_bytes().escape_ascii()))
}

impl fmt::Debug for Tree {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |content: &str| content.chars().take(200).collect::<String>();
        self.0
            .iter()
            .try_for_each(|(path, content)| writeln!(out, "\n  {path:?}: {:?}", short(content)))
    }
}
