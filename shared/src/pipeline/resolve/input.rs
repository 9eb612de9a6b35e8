//! The tree of inputs.

use super::{names, place};
use crate::glob::{Glob, Template};
use crate::id::PipelineName;
use crate::pipeline::document::Path;
use crate::pipeline::report::Report;
use crate::pipeline::{CronInput, Input, PfsInput, spec};

/// What the tree of inputs means.
pub(super) fn input(
    spec: Option<&spec::Input>,
    pipeline: Option<&PipelineName>,
    report: &mut Report<'_>,
) -> Option<Input> {
    let path = Path::root().field("input");
    let Some(spec) = spec else {
        report.missing(
            &path,
            "say what to run over: `input: {pfs: {repo: texts, glob: \"/*\"}}`",
        );
        return None;
    };
    let mut resolver = Resolver {
        pipeline,
        report,
        leaves: 0,
    };
    let input = resolver.node(spec, &path, Around::default())?;
    names::refuse_meeting(&input, &path, report);
    Some(input)
}

/// The operators around a leaf, which decide what its keys are good for.
#[derive(Clone, Copy, Default)]
struct Around {
    join: bool,
    group: bool,
}

struct Resolver<'around, 'document> {
    pipeline: Option<&'around PipelineName>,
    report: &'around mut Report<'document>,
    leaves: u16,
}

impl Resolver<'_, '_> {
    fn node(&mut self, spec: &spec::Input, path: &Path, around: Around) -> Option<Input> {
        let kinds = kinds(spec);
        match kinds.as_slice() {
            [_] => {}
            [] => {
                let advice = "give one of `pfs`, `cross`, `union`, `join`, `group` and `cron`";
                // Not told again where the one that was given is wrong in itself.
                if !KINDS
                    .iter()
                    .any(|kind| self.report.holds(&path.field(kind)))
                {
                    self.report.error(path, "is empty", advice);
                }
                return None;
            }
            several => {
                let message = format!("gives {} at once", several.join(" and "));
                self.report.error(
                    path,
                    message,
                    "an input is exactly one of them; combine with `cross` or `union`",
                );
                return None;
            }
        }
        if let Some(pfs) = &spec.pfs {
            return self.pfs(pfs, &path.field("pfs"), around).map(Input::Pfs);
        }
        if let Some(cron) = &spec.cron {
            return self.cron(cron, &path.field("cron")).map(Input::Cron);
        }
        if let Some(children) = &spec.cross {
            return self
                .children(children, &path.field("cross"), around)
                .map(Input::Cross);
        }
        if let Some(children) = &spec.union {
            return self
                .children(children, &path.field("union"), around)
                .map(Input::Union);
        }
        if let Some(children) = &spec.join {
            let around = Around {
                join: true,
                ..around
            };
            return self
                .children(children, &path.field("join"), around)
                .map(Input::Join);
        }
        let around = Around {
            group: true,
            ..around
        };
        self.children(spec.group.as_deref()?, &path.field("group"), around)
            .map(Input::Group)
    }

    fn children(
        &mut self,
        specs: &[spec::Input],
        path: &Path,
        around: Around,
    ) -> Option<Vec<Input>> {
        if specs.is_empty() {
            self.report
                .error(path, "combines nothing", "list the inputs to combine");
            return None;
        }
        // All of them are looked at, so that all of their findings are told.
        let children: Vec<Option<Input>> = specs
            .iter()
            .enumerate()
            .map(|(index, spec)| self.node(spec, &path.index(index), around))
            .collect();
        children.into_iter().collect()
    }

    fn pfs(&mut self, spec: &spec::Pfs, path: &Path, around: Around) -> Option<PfsInput> {
        let leaf = self.next_leaf();
        let url = given(spec.url.as_deref());
        if let Some(url) = url.filter(|url| url.contains("://")) {
            place::bucket(url, &path.field("url"), self.report);
        }
        let names = self.names(spec, path);
        let glob = self.glob(spec.glob.as_deref(), &path.field("glob"));
        let exclude = self.exclude(&spec.exclude, &path.field("exclude"));
        self.modes(spec, path);
        self.keys(spec, path, around);
        let (name, repo) = names?;
        Some(PfsInput {
            leaf,
            name,
            repo,
            url: url.map(str::to_owned),
            glob: glob?,
            join_on: given(spec.join_on.as_deref()).map(Template::new),
            outer_join: spec.outer_join.unwrap_or_default(),
            group_by: given(spec.group_by.as_deref()).map(Template::new),
            lazy: spec.lazy.unwrap_or_default(),
            empty_files: spec.empty_files.unwrap_or_default(),
            files_only: spec.files_only.unwrap_or_default(),
            exclude: exclude?,
        })
    }

    /// The name and the repo of a leaf, each standing in for the other; with a URL alone, its last
    /// segment stands in for both.
    fn names(&mut self, spec: &spec::Pfs, path: &Path) -> Option<(String, String)> {
        let url = given(spec.url.as_deref());
        let repo = match (given(spec.repo.as_deref()), url) {
            (None, Some(url)) => given(spec.name.as_deref()).or_else(|| last_segment(url)),
            (repo, _) => repo,
        };
        let Some(repo) = repo else {
            let advice = match url {
                Some(_) => "the URL does not end in a name; give `name` or `repo`",
                None => "name a folder of the store, or a pipeline whose output is read",
            };
            self.report.missing(&path.field("repo"), advice);
            return None;
        };
        if let Some(problem) = names::repo_problem(repo) {
            self.report.error(
                &path.field("repo"),
                format!("{repo:?} cannot be a repo"),
                problem,
            );
        }
        if url.is_none()
            && self
                .pipeline
                .is_some_and(|pipeline| pipeline.as_str() == repo)
        {
            let message = format!("{repo:?} is the output of this very pipeline");
            let advice = "read another repo, or give the pipeline another name";
            self.report.error(&path.field("repo"), message, advice);
        }
        let name = given(spec.name.as_deref()).unwrap_or(repo);
        self.input_name(name, path, spec.name.is_none());
        Some((name.to_owned(), repo.to_owned()))
    }

    fn input_name(&mut self, name: &str, path: &Path, by_default: bool) {
        let Some(problem) = names::input_problem(name) else {
            return;
        };
        let message = format!("{name:?} cannot name an input: {problem}");
        let (field, advice) = if by_default {
            (
                "repo",
                "the name is that of the repo by default; give another `name`",
            )
        } else {
            ("name", "choose another name")
        };
        self.report.error(&path.field(field), message, advice);
    }

    fn glob(&mut self, text: Option<&str>, path: &Path) -> Option<Glob> {
        let Some(text) = text else {
            let advice = "say what is a datum: `/*` for each file or directory at the top, `/` for everything at once";
            self.report.missing(path, advice);
            return None;
        };
        text.parse()
            .map_err(|error| self.bad_glob(path, &error))
            .ok()
    }

    fn exclude(&mut self, texts: &[String], path: &Path) -> Option<Vec<Glob>> {
        let mut globs = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            match text.parse() {
                Ok(glob) => globs.push(glob),
                Err(error) => self.bad_glob(&path.index(index), &error),
            }
        }
        (globs.len() == texts.len()).then_some(globs)
    }

    fn bad_glob(&mut self, path: &Path, error: &crate::glob::InvalidGlob) {
        let message = format!(
            "not a glob: at character {} of {:?}",
            error.position, error.glob
        );
        self.report.error(path, message, error.problem.as_str());
    }

    /// How files are given to the command.
    fn modes(&mut self, spec: &spec::Pfs, path: &Path) {
        if spec.lazy == Some(true) && spec.empty_files == Some(true) {
            let message = "contradicts `lazy`: a file cannot be both streamed and empty";
            self.report
                .error(&path.field("empty_files"), message, "keep one of them");
        }
        if spec.files_only == Some(true)
            && matches!(spec.glob.as_deref(), Some("/" | "" | "." | "/."))
        {
            let message = "contradicts the glob `/`, which is the whole repo as one directory";
            self.report.error(
                &path.field("files_only"),
                message,
                "use `/**` for all files, one a datum",
            );
        }
    }

    /// Keys that no operator around looks at.
    fn keys(&mut self, spec: &spec::Pfs, path: &Path, around: Around) {
        let keys = [
            (
                "join_on",
                given(spec.join_on.as_deref()).is_some() && !around.join,
                "join",
            ),
            (
                "outer_join",
                spec.outer_join == Some(true) && !around.join,
                "join",
            ),
            (
                "group_by",
                given(spec.group_by.as_deref()).is_some() && !around.group,
                "group",
            ),
        ];
        for (field, unused, operator) in keys {
            if unused {
                let message = format!("is not used: this input does not stand in a `{operator}`");
                self.report.note(&path.field(field), message, "");
            }
        }
    }

    fn cron(&mut self, spec: &spec::Cron, path: &Path) -> Option<CronInput> {
        let leaf = self.next_leaf();
        let name = given(spec.name.as_deref());
        match name {
            Some(name) => self.input_name(name, path, false),
            None => self
                .report
                .missing(&path.field("name"), "name the directory below `/pfs`"),
        }
        let schedule = given(spec.spec.as_deref());
        if schedule.is_none() {
            self.report.missing(
                &path.field("spec"),
                "say when, for example `@every 1h` or `30 4 * * *`",
            );
        }
        let start = given(spec.start.as_deref());
        if let Some(start) = start.filter(|start| start.parse::<jiff::Timestamp>().is_err()) {
            let advice = "write it as in RFC 3339, for example `2026-01-01T00:00:00Z`";
            self.report.error(
                &path.field("start"),
                format!("{start:?} is not a time"),
                advice,
            );
        }
        let default_repo = || {
            self.pipeline
                .map(|pipeline| format!("{pipeline}_{}", name.unwrap_or_default()))
        };
        let repo = given(spec.repo.as_deref())
            .map(str::to_owned)
            .or_else(default_repo)?;
        if let Some(problem) = names::repo_problem(&repo) {
            self.report.error(
                &path.field("repo"),
                format!("{repo:?} cannot be a repo"),
                problem,
            );
        }
        Some(CronInput {
            leaf,
            name: name?.to_owned(),
            repo,
            spec: schedule?.to_owned(),
            start: start.map(str::to_owned),
            overwrite: spec.overwrite.unwrap_or_default(),
        })
    }

    fn next_leaf(&mut self) -> u16 {
        let leaf = self.leaves;
        self.leaves = self.leaves.saturating_add(1);
        leaf
    }
}

/// Everything that an input may be.
const KINDS: [&str; 6] = ["pfs", "cross", "union", "join", "group", "cron"];

fn kinds(spec: &spec::Input) -> Vec<&'static str> {
    let given = [
        spec.pfs.is_some(),
        spec.cross.is_some(),
        spec.union.is_some(),
        spec.join.is_some(),
        spec.group.is_some(),
        spec.cron.is_some(),
    ];
    KINDS
        .into_iter()
        .zip(given)
        .filter_map(|(kind, given)| given.then_some(kind))
        .collect()
}

/// The last segment of a URL or path, as `git clone` would name the folder.
fn last_segment(url: &str) -> Option<&str> {
    let segment = url.trim_end_matches('/').rsplit('/').next()?;
    (names::repo_problem(segment).is_none() && names::input_problem(segment).is_none())
        .then_some(segment)
        .and_then(|segment| given(Some(segment)))
}

/// An empty text means the same as none.
fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
