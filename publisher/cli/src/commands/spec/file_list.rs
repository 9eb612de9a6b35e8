//! Lists of input files: `--files-from`.

use std::path::{Path, PathBuf};
use std::{fs, io};

use drover_shared::names::first_names;

/// Characters with a meaning in globs.
const SPECIAL: &[char] = &[
    '\\', '*', '?', '[', ']', '{', '}', '(', ')', '!', '@', '+', ',', '|', '^',
];

/// How many paths an error names.
const MOST_NAMED: usize = 3;

/// A list that names no files.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileListError {
    /// The list cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// A path is not UTF-8.
    #[error("its path {path:?} is not UTF-8; rename the file")]
    NotUtf8 {
        /// The path with a sign in the place of each invalid byte.
        path: String,
    },
    /// The list is separated by zero bytes.
    #[error("it holds zero bytes; if they end the paths, add -0")]
    ZeroBytes,
    /// Paths that are no files.
    #[error("{count} of its paths name no file: {first}")]
    NoFiles {
        /// How many.
        count: usize,
        /// The first of them, with the reason.
        first: String,
    },
}

/// Splits a list at line breaks, or at zero bytes with `null`; empty entries are dropped.
pub(crate) fn parse(bytes: &[u8], null: bool) -> Result<Vec<String>, FileListError> {
    if !null && bytes.contains(&0) {
        return Err(FileListError::ZeroBytes);
    }
    let separator = if null { 0 } else { b'\n' };
    bytes
        .split(|byte| *byte == separator)
        .map(|entry| if null { entry } else { without_return(entry) })
        .filter(|entry| !entry.is_empty())
        .map(path)
        .collect()
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn path(entry: &[u8]) -> Result<String, FileListError> {
    let path = str::from_utf8(entry).map_err(|_| FileListError::NotUtf8 {
        path: String::from_utf8_lossy(entry).into_owned(),
    });
    path.map(str::to_owned)
}

/// Checks that every path is a file; relative paths are relative to `folder`.
pub(crate) fn check(paths: &[String], folder: &Path) -> Result<(), FileListError> {
    let problems: Vec<String> = paths
        .iter()
        .filter_map(|path| Some(format!("{path} {}", problem(&folder.join(path))?)))
        .collect();
    match problems.len() {
        0 => Ok(()),
        count => Err(FileListError::NoFiles {
            count,
            first: first_names(&problems, MOST_NAMED),
        }),
    }
}

/// Why a path is no file.
fn problem(path: &Path) -> Option<String> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => None,
        Ok(found) if found.is_dir() => Some("is a directory".to_owned()),
        Ok(_) => Some("is no regular file".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some("does not exist".to_owned()),
        Err(error) => Some(format!("cannot be looked at: {error}")),
    }
}

/// The deepest folder above all paths, which are absolute; none if that is the root.
pub(crate) fn common_folder(paths: &[PathBuf]) -> Option<PathBuf> {
    let mut folder = paths.first()?.parent()?.to_path_buf();
    for path in paths {
        while !path.starts_with(&folder) || *path == folder {
            folder = folder.parent()?.to_path_buf();
        }
    }
    folder.parent().is_some().then_some(folder)
}

/// A glob that matches exactly the given paths below `folder`.
pub(crate) fn glob(paths: &[PathBuf], folder: &Path) -> String {
    let mut names: Vec<String> = paths
        .iter()
        .filter_map(|path| path.strip_prefix(folder).ok())
        .map(|below| escaped(&below.to_string_lossy()))
        .collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [one] => format!("/{one}"),
        several => format!("/{{{}}}", several.join(",")),
    }
}

fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for each in name.chars() {
        if SPECIAL.contains(&each) {
            escaped.push('\\');
        }
        escaped.push(each);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use drover_shared::glob::Glob;

    use super::*;

    fn paths(paths: &[&str]) -> Vec<PathBuf> {
        paths.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn a_list_is_split_at_its_separators() {
        assert_eq!(parse(b"a b\r\n\nc\n", false).unwrap(), ["a b", "c"]);
        assert_eq!(parse(b"a\nb\0c\0", true).unwrap(), ["a\nb", "c"]);
    }

    #[test]
    fn a_list_that_is_no_list_of_paths_is_refused_with_the_way_out() {
        let told = |bytes: &[u8]| parse(bytes, false).unwrap_err().to_string();
        assert!(told(b"a\0b\0").contains("add -0"));
        assert!(told(b"a\nb\xff.txt\n").contains("b\u{fffd}.txt"));
    }

    #[test]
    fn a_listed_path_without_a_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "").unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        let checked = |paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            check(&paths, folder.path()).map_err(|error| error.to_string())
        };
        assert_eq!(checked(&["a"]), Ok(()));
        let told = checked(&["a", "sub", "b"]).unwrap_err();
        assert_eq!(
            told,
            "2 of its paths name no file: sub is a directory, b does not exist"
        );
    }

    #[test]
    fn the_common_folder_holds_all_files() {
        let folder = |all: &[&str]| common_folder(&paths(all));
        assert_eq!(folder(&["/a/b/c", "/a/b/d/e"]), Some("/a/b".into()));
        assert_eq!(folder(&["/a/b/c", "/a/bc"]), Some("/a".into()));
        assert_eq!(folder(&["/a/b", "/c/d"]), None);
        assert_eq!(folder(&["/a/b"]), Some("/a".into()));
    }

    #[test]
    fn the_glob_matches_the_files_and_nothing_else() {
        let odd = [
            "/in/a.txt",
            "/in/sub/b [1],{2}*?.txt",
            "/in/!(x)|@y+",
            "/in/back\\slash",
        ];
        let glob = glob(&paths(&odd), Path::new("/in"));
        let glob: Glob = glob.parse().unwrap();
        for path in odd {
            let below = path.strip_prefix("/in").unwrap();
            assert!(glob.matches(below).unwrap(), "{below}");
        }
        for other in ["/a_txt", "/sub/b 1.txt", "/x", "/b.txt"] {
            assert!(!glob.matches(other).unwrap(), "{other}");
        }
    }
}
