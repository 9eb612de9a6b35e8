//! Notices files of commands in the working directory, where Drover collects no output.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use drover_shared::names::first_names;

/// Directories with more entries are not watched.
const MOST_ENTRIES: usize = 10_000;
/// How many files the warning names.
const NAMED: usize = 3;

/// The entries of a directory before the commands run; none if the entries are too many, or the directory cannot be read.
#[derive(Debug)]
pub(super) struct WorkingDir {
    path: PathBuf,
    before: Option<BTreeSet<OsString>>,
}

impl WorkingDir {
    pub(super) fn look(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            before: entries(path),
        }
    }

    /// The warning about entries that have appeared since, except entries made by Drover.
    pub(super) fn warning(&self, of_drover: &[&str]) -> Option<String> {
        let after = entries(&self.path)?;
        let appeared: Vec<String> = after
            .difference(self.before.as_ref()?)
            .map(|name| name.to_string_lossy().into_owned())
            .filter(|name| !name.starts_with('.') && !of_drover.contains(&name.as_str()))
            .collect();
        warning(&appeared)
    }
}

fn entries(path: &Path) -> Option<BTreeSet<OsString>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(path).ok()? {
        names.insert(entry.ok()?.file_name());
        if names.len() > MOST_ENTRIES {
            return None;
        }
    }
    Some(names)
}

fn warning(appeared: &[String]) -> Option<String> {
    let shown = first_names(appeared, NAMED);
    (!appeared.is_empty()).then(|| {
        format!(
            "warning: {shown} appeared in the working directory while the commands ran; only files in {{out}} become output"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_appear_beside_the_output_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let touch = |name: &str| std::fs::write(folder.path().join(name), "").unwrap();
        touch("before.txt");
        let watched = WorkingDir::look(folder.path());
        assert_eq!(watched.warning(&["out"]), None);
        for name in ["out", ".drover"] {
            touch(name);
        }
        assert_eq!(watched.warning(&["out"]), None);
        for name in ["result.txt", "b", "c", "d"] {
            touch(name);
        }
        let warning = watched.warning(&["out"]).unwrap();
        assert!(
            warning.starts_with("warning: b, c, d and 1 more appeared"),
            "{warning}"
        );
    }
}
