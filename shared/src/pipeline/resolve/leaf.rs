//! A leaf of the input tree: files or directories of a repo.

use super::non_empty;
use super::tree_context::TreeContext;
use super::{names, place};
use crate::glob::{Glob, InvalidGlob, Template};
use crate::pipeline::collector::FindingCollector;
use crate::pipeline::document::Path;
use crate::pipeline::{PfsInput, spec};

/// Resolves a leaf; `number` is the index of the leaf.
pub(super) fn pfs(
    spec: &spec::Pfs,
    number: u16,
    path: &Path,
    context: TreeContext<'_>,
    report: &mut FindingCollector<'_>,
) -> Option<PfsInput> {
    let names = name_and_repo(spec, path, context, report);
    let url = non_empty(spec.url.as_ref());
    if let Some(url) = &url {
        place::check(url, &path.field("url"), report);
    }
    let glob = glob(spec.glob.as_deref(), &path.field("glob"), report);
    let exclude = exclude(&spec.exclude, &path.field("exclude"), report);
    refuse_contradictions(spec, glob.as_ref(), path, report);
    note_unused_keys(spec, path, context, report);
    let (name, repo) = names?;
    Some(PfsInput {
        leaf: number,
        name,
        repo,
        url,
        glob: glob?,
        join_on: non_empty(spec.join_on.as_ref()).map(|key| Template::new(&key)),
        outer_join: spec.outer_join.unwrap_or_default(),
        group_by: non_empty(spec.group_by.as_ref()).map(|key| Template::new(&key)),
        lazy: spec.lazy.unwrap_or_default(),
        empty_files: spec.empty_files.unwrap_or_default(),
        files_only: spec.files_only.unwrap_or_default(),
        exclude: exclude?,
    })
}

/// The name and the repo; a missing name defaults to the repo and the other way round. With a URL
/// alone, the last segment of the URL is used for both.
fn name_and_repo(
    spec: &spec::Pfs,
    path: &Path,
    context: TreeContext<'_>,
    report: &mut FindingCollector<'_>,
) -> Option<(String, String)> {
    let name = non_empty(spec.name.as_ref());
    let repo = non_empty(spec.repo.as_ref());
    let url = non_empty(spec.url.as_ref());
    let from_url = || {
        url.as_ref()
            .and_then(|url| name.clone().or_else(|| last_segment(url)))
    };
    let Some(repo) = repo.or_else(from_url) else {
        let advice = match url {
            Some(_) => "the URL does not end in a name; give `name`",
            None => "name a folder of the store, or the pipeline whose output is read",
        };
        report.missing(&path.field("repo"), advice);
        return None;
    };
    if let Some(problem) = names::repo_problem(&repo) {
        report.error(
            &path.field("repo"),
            format!("{repo:?} cannot be a repo"),
            problem,
        );
        return None;
    }
    if url.is_none()
        && context
            .pipeline
            .is_some_and(|pipeline| pipeline.as_str() == repo)
    {
        let message = format!("{repo:?} is the output of this very pipeline");
        report.error(
            &path.field("repo"),
            message,
            "read another repo, or rename the pipeline",
        );
    }
    let (field, name) = match name {
        Some(name) => ("name", name),
        None => ("repo", repo.clone()),
    };
    names::check_input(&name, field, path, report);
    Some((name, repo))
}

/// The last segment of a URL or path, as `git clone` names the folder.
fn last_segment(url: &str) -> Option<String> {
    let segment = url.trim_end_matches('/').rsplit('/').next()?;
    let fits = !segment.is_empty()
        && names::repo_problem(segment).is_none()
        && names::input_problem(segment).is_none();
    fits.then(|| segment.to_owned())
}

fn glob(text: Option<&str>, path: &Path, report: &mut FindingCollector<'_>) -> Option<Glob> {
    let Some(text) = text else {
        let advice = "say what a datum is: `/*` for each file or directory at the top, `/` for all of it at once";
        report.missing(path, advice);
        return None;
    };
    text.parse()
        .map_err(|error| bad_glob(path, &error, report))
        .ok()
}

fn exclude(texts: &[String], path: &Path, report: &mut FindingCollector<'_>) -> Option<Vec<Glob>> {
    let mut globs = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match text.parse::<Glob>() {
            Ok(glob) if glob.is_root() => {
                let advice = "write a glob for the files to leave out, or delete it";
                report.error(&path.index(index), "leaves out everything", advice);
            }
            Ok(glob) => globs.push(glob),
            Err(error) => bad_glob(&path.index(index), &error, report),
        }
    }
    (globs.len() == texts.len()).then_some(globs)
}

/// Reports a malformed glob.
pub(super) fn bad_glob(path: &Path, error: &InvalidGlob, report: &mut FindingCollector<'_>) {
    let message = format!(
        "{:?} is not a glob, see its character {}",
        error.glob, error.position
    );
    report.error(path, message, error.problem.as_str());
}

fn refuse_contradictions(
    spec: &spec::Pfs,
    glob: Option<&Glob>,
    path: &Path,
    report: &mut FindingCollector<'_>,
) {
    if spec.lazy == Some(true) && spec.empty_files == Some(true) {
        let message = "contradicts `lazy`: a file cannot be both streamed and empty";
        report.error(&path.field("empty_files"), message, "keep one of them");
    }
    if spec.files_only == Some(true) && glob.is_some_and(Glob::is_root) {
        let message = "contradicts the glob `/`, which is the whole repo as one directory";
        report.error(
            &path.field("files_only"),
            message,
            "the glob `/**` is every file, one a datum",
        );
    }
}

/// Notes keys that no enclosing operator uses.
fn note_unused_keys(
    spec: &spec::Pfs,
    path: &Path,
    context: TreeContext<'_>,
    report: &mut FindingCollector<'_>,
) {
    let has_key = |key: &Option<String>| non_empty(key.as_ref()).is_some();
    let keys = [
        ("join_on", has_key(&spec.join_on) && !context.join, "join"),
        (
            "outer_join",
            spec.outer_join == Some(true) && !context.join,
            "join",
        ),
        (
            "group_by",
            has_key(&spec.group_by) && !context.group,
            "group",
        ),
    ];
    for (field, unused, operator) in keys {
        if unused {
            let message = format!("is not used: no `{operator}` stands above this input");
            report.note(&path.field(field), message, "");
        }
    }
}
