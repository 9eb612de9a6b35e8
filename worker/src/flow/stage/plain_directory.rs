//! Directories without links and special files, which one mount can show.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

use drover_shared::datum::TreeHash;
use drover_shared::store::{FileAttributes, file_version};

/// The files of a directory in byte order of their paths, which begin with `/`.
pub(super) struct PlainDirectory {
    root: Metadata,
    files: Vec<(String, Metadata)>,
}

impl PlainDirectory {
    /// Lists the files below `path`. None if there is anything but files and directories, or a name that is not UTF-8.
    /// Blocking.
    pub(super) fn list(path: &Path) -> io::Result<Option<Self>> {
        let root = path.canonicalize()?;
        let mut files = Vec::new();
        let mut pending = vec![(root.clone(), String::new())];
        while let Some((directory, below)) = pending.pop() {
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                let name = entry.file_name();
                let Some(name) = name.to_str() else {
                    return Ok(None);
                };
                let kind = entry.file_type()?;
                let path = format!("{below}/{name}");
                if kind.is_dir() {
                    pending.push((entry.path(), path));
                } else if kind.is_file() {
                    files.push((path, entry.metadata()?));
                } else {
                    return Ok(None);
                }
            }
        }
        files.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let root = fs::metadata(root)?;
        Ok(Some(Self { root, files }))
    }

    /// Size and version of the directory, as the listing of a job computes them.
    pub(super) fn hash(&self) -> TreeHash {
        let mut tree = TreeHash::default();
        for (path, metadata) in &self.files {
            tree.add_version(path, metadata.len(), &file_version(metadata));
        }
        tree
    }

    /// The state of the directory itself, and a hash over the states of its files.
    pub(super) fn state(&self) -> (FileAttributes, String) {
        let mut tree = TreeHash::default();
        for (path, metadata) in &self.files {
            let state = FileAttributes::of(metadata);
            tree.add_version(path, metadata.len(), &format!("{state:?}"));
        }
        (FileAttributes::of(&self.root), tree.version())
    }
}
