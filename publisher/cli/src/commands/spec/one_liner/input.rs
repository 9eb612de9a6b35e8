//! Reads the inputs of a one-liner from `--glob` or `--files-from`.

use std::path::{Component, Path, PathBuf};

use drover_shared::id::PipelineName;
use serde_json::{Value, json};

use super::context::OneLinerContext;
use super::error::OneLinerError;
use crate::commands::spec::file_list;

/// One `--glob` as a leaf of the input tree.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct GlobInput {
    pub(super) name: String,
    url: Option<String>,
    glob: String,
    /// True if directories are left out.
    files_only: bool,
    /// The output folder, if inside the input.
    exclude: Option<String>,
}

impl GlobInput {
    /// The input of `--files-from`: the files as alternatives of a glob in their common folder.
    pub(super) fn of_files(
        files: &[String],
        list: &Path,
        out: &PipelineName,
        context: OneLinerContext<'_>,
    ) -> Result<Self, OneLinerError> {
        let list = || list.display().to_string();
        let paths: Vec<PathBuf> = files
            .iter()
            .map(|file| normalised(&context.current_dir.join(file)))
            .collect();
        if paths.is_empty() {
            return Err(OneLinerError::NoFiles { list: list() });
        }
        let folder = file_list::common_folder(&paths)
            .ok_or_else(|| OneLinerError::NoFolder { list: list() })?;
        let glob = file_list::glob(&paths, &folder);
        Ok(Self::in_folder(&folder, glob, true, out, context))
    }

    pub(super) fn new(typed: &str, out: &PipelineName, context: OneLinerContext<'_>) -> Self {
        let (place, glob) = split(typed);
        let files_only = !glob.ends_with('/');
        let glob = format!("/{}", glob.trim_start_matches('/'));
        let leaf = |name: &str, url: Option<String>| Self {
            name: input_name(name),
            url,
            glob: glob.clone(),
            files_only,
            exclude: None,
        };
        match place {
            GlobRoot::Repo(repo) => leaf(repo, None),
            GlobRoot::Url(url) => leaf(
                url.rsplit('/').next().unwrap_or_default(),
                Some(url.to_owned()),
            ),
            GlobRoot::Folder(folder) => {
                let folder = normalised(&context.current_dir.join(folder));
                Self::in_folder(&folder, glob, files_only, out, context)
            }
        }
    }

    /// An input in a folder of the local machine: a repo if the folder lies directly in the store.
    fn in_folder(
        folder: &Path,
        glob: String,
        files_only: bool,
        out: &PipelineName,
        context: OneLinerContext<'_>,
    ) -> Self {
        let name = folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let is_repo = context
            .store
            .is_some_and(|store| folder.parent() == Some(store) && name == input_name(&name));
        let output = context.store.map(|store| store.join(out.as_str()));
        let below = output
            .as_ref()
            .and_then(|output| output.strip_prefix(folder).ok());
        Self {
            name: input_name(&name),
            url: (!is_repo).then(|| folder.display().to_string()),
            glob,
            files_only,
            exclude: below
                .filter(|_| !is_repo)
                .map(|below| format!("/{}", below.display())),
        }
    }

    /// True if the input is the output folder of the pipeline.
    pub(super) fn is_folder_of(&self, out: &PipelineName) -> bool {
        self.url.is_none() && self.name == out.as_str()
    }

    fn json(&self) -> Value {
        let mut pfs = json!({ "name": self.name, "repo": self.name, "glob": self.glob });
        if let Some(url) = &self.url {
            pfs["url"] = json!(url);
        }
        if self.files_only {
            pfs["files_only"] = json!(true);
        }
        if let Some(exclude) = &self.exclude {
            pfs["exclude"] = json!(exclude);
        }
        json!({ "pfs": pfs })
    }
}

/// Root folder of a `--glob`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum GlobRoot<'a> {
    /// A folder of the store.
    Repo(&'a str),
    /// A folder of the local machine, relative to the current directory.
    Folder(&'a str),
    /// A bucket.
    Url(&'a str),
}

/// Splits `ROOT:GLOB`, or a path at the first segment with wildcards.
fn split(typed: &str) -> (GlobRoot<'_>, &str) {
    let colon = typed
        .match_indices(':')
        .find(|(at, _)| !typed[at + 1..].starts_with("//"));
    if let Some((at, _)) = colon {
        let (place, glob) = (&typed[..at], &typed[at + 1..]);
        return match place {
            "" | "." | ".." => (GlobRoot::Folder(place), glob),
            url if url.contains("://") => (GlobRoot::Url(url), glob),
            path if path.contains('/') => (GlobRoot::Folder(path), glob),
            repo => (GlobRoot::Repo(repo), glob),
        };
    }
    let is_wild = |segment: &str| segment.contains(['*', '?', '[', '{', '(', '\\']);
    let body = typed.trim_end_matches('/');
    let mut cut = 0;
    for (at, _) in body.match_indices('/') {
        if is_wild(&body[cut..at]) {
            break;
        }
        cut = at + 1;
    }
    let (folder, glob) = typed.split_at(cut);
    match folder.trim_end_matches('/') {
        "" if cut > 0 => (GlobRoot::Folder("/"), glob),
        url if url.contains("://") => (GlobRoot::Url(url), glob),
        path => (GlobRoot::Folder(path), glob),
    }
}

/// Normalises `a/./b/../c` to `a/c` without access to the disk.
fn normalised(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

/// A name for an input that is also valid as a prefix of variables, a directory and a placeholder.
fn input_name(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|each| {
            if each.is_ascii_alphanumeric() || each == '-' {
                each
            } else {
                '_'
            }
        })
        .collect();
    match clean.as_str() {
        "" => "input".to_owned(),
        "out" => "out_".to_owned(),
        _ => clean,
    }
}

pub(super) fn first_repeated(inputs: &[GlobInput]) -> Option<String> {
    let repeats = |(at, leaf): &(usize, &GlobInput)| {
        inputs[..*at]
            .iter()
            .any(|earlier| earlier.name == leaf.name)
    };
    inputs
        .iter()
        .enumerate()
        .find(repeats)
        .map(|(_, leaf)| leaf.name.clone())
}

/// A single leaf, or the cross of several leaves.
pub(super) fn tree(inputs: &[GlobInput]) -> Value {
    match inputs {
        [leaf] => leaf.json(),
        leaves => json!({ "cross": leaves.iter().map(GlobInput::json).collect::<Vec<_>>() }),
    }
}

/// Refuses a glob that was most likely quoted by mistake.
pub(super) fn check_glob(typed: &str) -> Result<(), OneLinerError> {
    let glob = typed.to_owned();
    let is_quoted_by =
        |quote| typed.len() > 1 && typed.starts_with(quote) && typed.ends_with(quote);
    if typed.is_empty() {
        Err(OneLinerError::EmptyGlob)
    } else if is_quoted_by('\'') || is_quoted_by('"') {
        Err(OneLinerError::Quoted { glob })
    } else if typed.starts_with("~/") {
        Err(OneLinerError::Unexpanded { glob, what: "~" })
    } else if typed.starts_with('$') {
        let what = "the name of a variable";
        Err(OneLinerError::Unexpanded { glob, what })
    } else {
        Ok(())
    }
}
