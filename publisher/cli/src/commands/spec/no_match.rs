//! Advice for a job without datums: the files that are there instead.

use std::fs;
use std::path::{Path, PathBuf};

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

fn told(leaf: &PfsInput, folder: &Path) -> Option<String> {
    let glob = leaf.glob.to_string();
    let shown = folder.display();
    if folder.join(glob.trim_start_matches('/')).is_dir() && leaf.files_only {
        let directory = glob.trim_matches('/');
        return Some(format!(
            "{directory} is a folder; its files are '{directory}/*', and '{directory}/' is all of it as one datum"
        ));
    }
    let entries = fs::read_dir(folder).ok()?.take(MOST_ENTRIES).flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort_unstable();
    if names.is_empty() {
        return Some(format!("{shown} is empty"));
    }
    let is_match = |name: &&String| {
        let matched = leaf.glob.matches(&format!("/{name}")).unwrap_or(false);
        !matched && matches_in_other_case(&glob, name)
    };
    match names.iter().find(is_match) {
        Some(name) => Some(format!(
            "{glob} differs in case from {name}, for example, in {shown}"
        )),
        None => Some(format!(
            "nothing in {shown} is like {glob}; it has, for example, {}",
            names[0]
        )),
    }
}

fn matches_in_other_case(glob: &str, name: &str) -> bool {
    let glob = glob.to_lowercase().parse::<drover_shared::glob::Glob>();
    glob.is_ok_and(|glob| {
        glob.matches(&format!("/{}", name.to_lowercase()))
            .unwrap_or(false)
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
    fn a_glob_without_a_file_is_told_what_is_there() {
        let store = tempfile::tempdir().unwrap();
        let folder = store.path().join("photos");
        fs::create_dir_all(folder.join("2026")).unwrap();
        fs::write(folder.join("a.jpg"), "").unwrap();
        let rows = [
            ("/*.JPG", "/*.JPG differs in case from a.jpg"),
            ("/*.jpeg", "is like /*.jpeg; it has, for example, 2026"),
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
