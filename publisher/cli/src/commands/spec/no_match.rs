//! Advice for a job without datums: the files of the folder instead.

use std::fs;
use std::path::{Path, PathBuf};

use drover_shared::glob::Glob;
use drover_shared::pipeline::{PfsInput, Pipeline};

/// How many entries of a folder are looked at.
const MOST_ENTRIES: usize = 1_000;

/// The advice where nothing is known about the inputs.
pub(crate) const NO_FILE_MATCHED: &str =
    "no file matched; `drover plan` shows what the globs match";

/// Tells why no file matched, as far as the folders of the inputs show it. `store` is the folder of the store; none for a
/// bucket.
pub(crate) fn advice(pipeline: &Pipeline, store: Option<&Path>) -> String {
    let told = pipeline
        .input
        .leaves()
        .into_iter()
        .find_map(|leaf| told(leaf, &folder(leaf, store)?));
    match told {
        Some(told) => format!("no file matched: {told}"),
        None => NO_FILE_MATCHED.to_owned(),
    }
}

/// The folder of an input; none if it is in a bucket.
fn folder(leaf: &PfsInput, store: Option<&Path>) -> Option<PathBuf> {
    match &leaf.url {
        None => Some(store?.join(&leaf.repo)),
        Some(url) if url.contains("://") => None,
        Some(folder) => Some(PathBuf::from(folder)),
    }
}

/// Why an input has no file; none if the reason cannot be told from the first level of its folder.
fn told(leaf: &PfsInput, folder: &Path) -> Option<String> {
    let glob = leaf.glob.to_string();
    let glob = glob.trim_matches('/');
    if glob.is_empty() || glob.contains('/') {
        return None;
    }
    if leaf.files_only && folder.join(glob).is_dir() {
        return Some(format!(
            "{glob} is a folder; its files are '{glob}/*', and '{glob}/' is all of it as one datum"
        ));
    }
    let shown = folder.display();
    let entries = fs::read_dir(folder).ok()?.take(MOST_ENTRIES).flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort_unstable();
    let matches = |glob: &Glob, name: &str| glob.matches(&format!("/{name}")).unwrap_or(true);
    let Some(first) = names.first() else {
        return Some(format!("{shown} is empty"));
    };
    if names.iter().any(|name| matches(&leaf.glob, name)) {
        return None;
    }
    let lower: Option<Glob> = format!("/{}", glob.to_lowercase()).parse().ok();
    let differs = |name: &&String| {
        let lower = lower.as_ref();
        lower.is_some_and(|lower| matches(lower, &name.to_lowercase()))
    };
    Some(match names.iter().find(differs) {
        Some(name) => format!("'{glob}' differs in case from {name}, for example, in {shown}"),
        None => format!("nothing in {shown} is like '{glob}'; it has, for example, {first}"),
    })
}

#[cfg(test)]
mod tests {
    use drover_shared::pipeline;
    use serde_json::json;

    use super::*;

    fn told(store: &Path, glob: &str) -> String {
        let spec = json!({
            "pipeline": { "name": "out" },
            "input": { "pfs": { "repo": "photos", "glob": glob, "files_only": true } },
            "transform": { "cmd": ["true"] },
        });
        advice(&pipeline::from_value(&spec).unwrap(), Some(store))
    }

    #[test]
    fn inputs_with_files_that_do_not_go_together_are_no_fault_of_their_globs() {
        let store = tempfile::tempdir().unwrap();
        for (folder, file) in [("a", "1.csv"), ("b", "2.csv")] {
            fs::create_dir(store.path().join(folder)).unwrap();
            fs::write(store.path().join(folder).join(file), "").unwrap();
        }
        let leaf =
            |repo: &str| json!({ "pfs": { "repo": repo, "glob": "/(*).csv", "join_on": "$1" } });
        let spec = json!({
            "pipeline": { "name": "out" },
            "input": { "join": [leaf("a"), leaf("b")] },
            "transform": { "cmd": ["true"] },
        });
        let pipeline = pipeline::from_value(&spec).unwrap();
        assert_eq!(advice(&pipeline, Some(store.path())), NO_FILE_MATCHED);
    }

    #[test]
    fn a_glob_without_a_file_is_told_what_is_there() {
        let store = tempfile::tempdir().unwrap();
        let folder = store.path().join("photos");
        fs::create_dir_all(folder.join("2026")).unwrap();
        fs::write(folder.join("a.jpg"), "").unwrap();
        let rows = [
            ("/*.JPG", "'*.JPG' differs in case from a.jpg"),
            ("/*.jpeg", "is like '*.jpeg'; it has, for example, 2026"),
            ("/2026", "2026 is a folder; its files are '2026/*'"),
        ];
        for (glob, expected) in rows {
            let told = told(store.path(), glob);
            assert!(told.contains(expected), "{told}");
        }
        fs::remove_dir(folder.join("2026")).unwrap();
        fs::remove_file(folder.join("a.jpg")).unwrap();
        assert!(told(store.path(), "/*").ends_with("photos is empty"));
    }
}
