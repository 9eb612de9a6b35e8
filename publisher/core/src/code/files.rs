//! Code files on the local machine.

use std::fs;
use std::path::{Path, PathBuf};

use drover_shared::glob::Glob;

use super::entry::{CodeEntry, MOST, SKIPPED};
use super::error::CodeError;

/// The files of an entry, with their names: a file, all files of a directory, or all matches of a glob.
pub(super) fn entry_files(text: &str, base: &Path) -> Result<Vec<(String, PathBuf)>, CodeError> {
    let path = base.join(text);
    if path.is_file() {
        return Ok(vec![(text.to_owned(), path)]);
    }
    let entry = if path.is_dir() {
        CodeEntry::directory(text)
    } else {
        let Some(entry) = CodeEntry::glob(text) else {
            return Ok(Vec::new());
        };
        entry
    };
    let root = match entry.directory {
        "" if text.starts_with('/') => PathBuf::from("/"),
        directory => base.join(directory),
    };
    let mut walk = Walk {
        entry: &entry,
        files: Vec::new(),
    };
    walk.directory(&root, "", entry.glob.is_none())?;
    let named = |(path, file): (String, PathBuf)| (entry.name_of(&path), file);
    Ok(walk.files.into_iter().map(named).collect())
}

/// Collects the files below a directory.
struct Walk<'entry> {
    entry: &'entry CodeEntry<'entry>,
    files: Vec<(String, PathBuf)>,
}

impl Walk<'_> {
    /// `path` is the path below the root, empty or with a leading slash; `matched` if the directory belongs to the
    /// entry with all its files. Links to directories are not followed.
    fn directory(&mut self, directory: &Path, path: &str, matched: bool) -> Result<(), CodeError> {
        let failed = |source| CodeError::Read {
            path: directory.to_owned(),
            source,
        };
        let children = match fs::read_dir(directory) {
            Err(error) if path.is_empty() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(());
            }
            children => children.map_err(failed)?,
        };
        for child in children {
            let child = child.map_err(failed)?;
            let Some(name) = child.file_name().to_str().map(str::to_owned) else {
                continue;
            };
            let path = format!("{path}/{name}");
            let is_match = |glob: &Glob| glob.matches(&path).unwrap_or(true);
            let matched = matched || self.entry.glob.as_ref().is_some_and(is_match);
            let kind = child.file_type().map_err(failed)?;
            if kind.is_dir() {
                let may_match = |glob: &Glob| glob.may_match_below(&path);
                let has_code = !SKIPPED.contains(&name.as_str());
                if has_code && (matched || self.entry.glob.as_ref().is_some_and(may_match)) {
                    self.directory(&child.path(), &path, matched)?;
                }
            } else if matched && child.path().is_file() {
                if self.files.len() == MOST {
                    return Err(CodeError::TooMany {
                        entry: self.entry.text.to_owned(),
                        most: MOST,
                    });
                }
                self.files.push((path, child.path()));
            }
        }
        Ok(())
    }
}
