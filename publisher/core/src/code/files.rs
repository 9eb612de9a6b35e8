//! Finds the code files of a pipeline.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use drover_shared::datum::CodeFile;
use drover_shared::glob::Glob;
use drover_shared::pipeline::Pipeline;
use drover_shared::store::layout;

use super::content::tag;
use super::error::CodeError;
use super::words::candidates;

/// The most files of an entry of `code`.
const MOST: usize = 10_000;

/// Directories of the system: their content changes with the system, not with the user's code.
const SYSTEM: [&str; 16] = [
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt", "/dev", "/proc", "/sys",
    "/run", "/boot", "/nix", "/snap", "/pfs",
];

/// Directories beside the user's code without code of the user.
const SKIPPED: [&str; 3] = ["__pycache__", ".git", layout::DROVER_FOLDER];

/// The code files of a pipeline, sorted by name. `current` is the current directory, `store` the folder of the store:
/// relative entries of `code` are searched in both. Blocking.
///
/// # Errors
/// If an entry of `code` names no file, or a file of it cannot be read. Words of the command need not be files.
pub fn find(
    pipeline: &Pipeline,
    current: &Path,
    store: Option<&Path>,
) -> Result<Vec<CodeFile>, CodeError> {
    let transform = &pipeline.transform;
    let base = match &transform.working_dir {
        Some(directory) => current.join(directory),
        None => current.to_owned(),
    };
    let mut files = BTreeMap::new();
    for word in candidates(&transform.cmd, transform.placeholders) {
        let path = base.join(word);
        if is_code(&path, pipeline, store)
            && let Ok(tag) = tag(&path)
        {
            files.insert(word.to_owned(), (tag, path));
        }
    }
    for entry in &pipeline.code {
        let places = [Some(base.as_path()), store];
        let mut found = Vec::new();
        for place in places.into_iter().flatten() {
            found = entry_files(entry, place)?;
            if !found.is_empty() {
                break;
            }
        }
        if found.is_empty() {
            return Err(CodeError::Missing {
                entry: entry.clone(),
            });
        }
        for (name, path) in found {
            match tag(&path) {
                Ok(tag) => drop(files.insert(name, (tag, path))),
                Err(source) => return Err(CodeError::Read { path, source }),
            }
        }
    }
    let files = files.into_iter();
    let files = files.map(|(name, (tag, path))| CodeFile { name, tag, path });
    Ok(files.collect())
}

/// True for a regular file outside system directories and outside the pipeline's own output.
fn is_code(path: &Path, pipeline: &Pipeline, store: Option<&Path>) -> bool {
    let Ok(path) = path.canonicalize() else {
        return false;
    };
    let is_output = store
        .and_then(|store| store.canonicalize().ok())
        .is_some_and(|store| {
            path.starts_with(store.join(pipeline.name.as_str()))
                || path.starts_with(store.join(layout::DROVER_FOLDER))
        });
    path.is_file() && !is_output && !SYSTEM.iter().any(|system| path.starts_with(system))
}

/// The files of an entry, with their names: a file, all files of a directory, or all matches of a glob.
fn entry_files(entry: &str, base: &Path) -> Result<Vec<(String, PathBuf)>, CodeError> {
    let path = base.join(entry);
    if path.is_file() {
        return Ok(vec![(entry.to_owned(), path)]);
    }
    let (directory, glob) = if path.is_dir() {
        (entry.trim_end_matches('/'), None)
    } else {
        let wildcard = entry.find(['*', '?', '[', '{', '(', '!', '@', '+', '\\']);
        let Some(wildcard) = wildcard else {
            return Ok(Vec::new());
        };
        let (directory, rest) = match entry[..wildcard].rfind('/') {
            Some(slash) => (&entry[..slash], &entry[slash..]),
            None => ("", entry),
        };
        (directory, rest.parse::<Glob>().ok())
    };
    let mut walk = Walk {
        entry,
        glob: glob.as_ref(),
        files: Vec::new(),
    };
    let root = match directory {
        "" if entry.starts_with('/') => PathBuf::from("/"),
        directory => base.join(directory),
    };
    walk.directory(&root, "", glob.is_none())?;
    let named = |(path, file): (String, PathBuf)| {
        let name = format!("{directory}{path}");
        let name = if directory.is_empty() && !entry.starts_with('/') {
            name[1..].to_owned()
        } else {
            name
        };
        (name, file)
    };
    Ok(walk.files.into_iter().map(named).collect())
}

/// Collects the files below a directory.
struct Walk<'entry> {
    entry: &'entry str,
    glob: Option<&'entry Glob>,
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
            let matched = matched || self.glob.is_some_and(is_match);
            let kind = child.file_type().map_err(failed)?;
            if kind.is_dir() {
                let may_match = |glob: &Glob| glob.may_match_below(&path);
                let has_code = !SKIPPED.contains(&name.as_str());
                if has_code && (matched || self.glob.is_some_and(may_match)) {
                    self.directory(&child.path(), &path, matched)?;
                }
            } else if matched && child.path().is_file() {
                if self.files.len() == MOST {
                    return Err(CodeError::TooMany {
                        entry: self.entry.to_owned(),
                        most: MOST,
                    });
                }
                self.files.push((path, child.path()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(cmd: &[&str], code: &[&str]) -> Pipeline {
        let spec = serde_json::json!({
            "pipeline": {"name": "p"},
            "transform": {"cmd": cmd, "placeholders": true},
            "input": {"pfs": {"repo": "in", "glob": "/*"}},
            "code": code,
        });
        drover_shared::pipeline::from_value(&spec).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A folder with a store's output, a script, modules and a model.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            "s.py",
            "lib/a.py",
            "lib/deep/b.py",
            "lib/__pycache__/a.pyc",
            "model.bin",
            "p/out.txt",
            ".drover/x",
            "in/a",
        ];
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        folder
    }

    fn names(cmd: &[&str], code: &[&str], folder: &Path) -> Result<Vec<String>, CodeError> {
        let found = find(&pipeline(cmd, code), folder, Some(folder))?;
        Ok(found.into_iter().map(|file| file.name).collect())
    }

    #[test]
    fn words_and_entries_name_files() {
        let folder = folder();
        let rows: [(&[&str], &[&str], &[&str]); 10] = [
            (&["/usr/bin/env", "s.py"], &[], &["s.py"]),
            (&["sh", "-c", "python3 s.py {} > model.bin"], &[], &["s.py"]),
            (
                &["cat", "lib", "missing", "p/out.txt", ".drover/x"],
                &[],
                &[],
            ),
            (&["true"], &["model.bin"], &["model.bin"]),
            (&["true"], &["lib"], &["lib/a.py", "lib/deep/b.py"]),
            (&["true"], &["lib/"], &["lib/a.py", "lib/deep/b.py"]),
            (&["true"], &["lib/*.py"], &["lib/a.py"]),
            (&["true"], &["lib/**.py"], &["lib/a.py", "lib/deep/b.py"]),
            (
                &["true"],
                &["*.{py,bin}", "l*"],
                &["lib/a.py", "lib/deep/b.py", "model.bin", "s.py"],
            ),
            (&["cat", "s.py"], &["s.py"], &["s.py"]),
        ];
        for (cmd, code, expected) in rows {
            let found = names(cmd, code, folder.path()).unwrap();
            assert_eq!(found, expected, "{cmd:?} {code:?}");
        }
        for entry in ["nothing.py", "lib/*.txt", "none/*.py", "empty*"] {
            let error = names(&["true"], &[entry], folder.path()).unwrap_err();
            assert!(
                matches!(error, CodeError::Missing { .. }),
                "{entry}: {error}"
            );
        }
    }

    #[test]
    fn an_edited_file_gets_another_tag_and_a_touched_one_does_not() {
        let folder = folder();
        let pipeline = pipeline(&["python3", "s.py"], &["lib"]);
        let files = || find(&pipeline, folder.path(), None).unwrap();
        let before = files();
        fs::write(folder.path().join("lib/a.py"), "lib/a.py").unwrap();
        assert_eq!(files(), before);
        fs::write(folder.path().join("lib/a.py"), "lib/A.py").unwrap();
        let after = files();
        assert_ne!(after, before);
        fs::write(folder.path().join("lib/a.py"), "lib/a.py").unwrap();
        assert_eq!(files(), before);
    }

    #[test]
    fn the_working_directory_of_the_command_is_where_paths_begin() {
        let folder = folder();
        let mut pipeline = pipeline(&["python3", "a.py"], &["deep"]);
        let directory = folder.path().join("lib").display().to_string();
        pipeline.transform.working_dir = Some(directory);
        let found = find(&pipeline, Path::new("/"), None).unwrap();
        let names: Vec<&str> = found.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["a.py", "deep/b.py"]);
    }
}
