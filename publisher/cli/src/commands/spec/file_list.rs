//! Lists of input files: `--files-from`.

use std::io;
use std::path::{Path, PathBuf};

/// Characters with a meaning in globs.
const SPECIAL: &[char] = &[
    '\\', '*', '?', '[', ']', '{', '}', '(', ')', '!', '@', '+', ',', '|', '^',
];

/// Splits a list at line breaks, or at zero bytes with `null`; empty entries are dropped.
pub(crate) fn parse(bytes: Vec<u8>, null: bool) -> io::Result<Vec<String>> {
    let text = String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a path in it is not UTF-8"))?;
    let entries = text.split(if null { '\0' } else { '\n' });
    Ok(entries
        .map(|entry| {
            if null {
                entry
            } else {
                entry.trim_end_matches('\r')
            }
        })
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect())
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
        let text = b"a b\r\n\nc\n".to_vec();
        assert_eq!(parse(text, false).unwrap(), ["a b", "c"]);
        assert_eq!(parse(b"a\nb\0c\0".to_vec(), true).unwrap(), ["a\nb", "c"]);
        assert!(parse(vec![0xff], false).is_err());
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
