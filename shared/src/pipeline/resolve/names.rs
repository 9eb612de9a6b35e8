//! Names of inputs and repos, and the rule for names that share a datum.

use std::collections::BTreeSet;

use crate::pipeline::Input;
use crate::pipeline::collector::FindingCollector;
use crate::pipeline::document::Path;

/// Variables that an input of the same name would hide from the command.
const VARIABLES: [&str; 6] = [
    "PATH",
    "HOME",
    "PFS",
    "TMPDIR",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
];

/// Why a text cannot name a repo, if so.
pub(super) fn repo_problem(repo: &str) -> Option<&'static str> {
    match repo {
        "." | ".." => Some("a repo is one folder of the store"),
        ".drover" => Some("it is the folder that Drover keeps its own records in"),
        _ if repo.contains('/') => {
            Some("a repo is one folder of the store; put the rest of the path into `glob`")
        }
        _ if repo.len() > 255 => Some("it is longer than 255 bytes"),
        _ if repo.contains('\0') => Some("it holds a NUL character"),
        _ => None,
    }
}

/// Why a text cannot name an input, if so.
pub(super) fn input_problem(name: &str) -> Option<&'static str> {
    match name {
        "out" => Some("`/pfs/out` is where the output goes"),
        ".env" => Some("`/pfs/.env` holds the environment of a datum"),
        "." | ".." => Some("it names a directory below `/pfs`"),
        _ if name.contains('/') => {
            Some("it names one directory below `/pfs`, so it cannot hold `/`")
        }
        _ if name.contains('=') => Some("it names environment variables, so it cannot hold `=`"),
        _ if name.contains(char::is_control) => Some("it holds a control character"),
        _ if name.len() > 200 => Some("it is longer than 200 bytes"),
        _ if VARIABLES.contains(&name)
            || ["PACH_", "PPS_", "DROVER_"]
                .iter()
                .any(|ours| name.starts_with(ours)) =>
        {
            Some("each input sets an environment variable of its name, and this one is taken")
        }
        _ => None,
    }
}

/// Refuses a text that cannot name an input; `field` is the source of the name.
pub(super) fn check_input(name: &str, field: &str, path: &Path, report: &mut FindingCollector<'_>) {
    if let Some(problem) = input_problem(name) {
        let message = format!("{name:?} cannot name an input: {problem}");
        let advice = match field {
            "repo" => "inputs are named after their repo by default; give a `name` beside it",
            _ => "choose another name",
        };
        report.error(&path.field(field), message, advice);
    }
}

/// Refuses equal names within a datum. Returns the names that a datum of the input may hold.
pub(super) fn refuse_shared_names(
    input: &Input,
    path: &Path,
    report: &mut FindingCollector<'_>,
) -> BTreeSet<String> {
    let (operator, children, may_share) = match input {
        Input::Pfs(leaf) => return BTreeSet::from([leaf.name.clone()]),
        Input::Cron(clock) => return BTreeSet::from([clock.ticks.name.clone()]),
        Input::Union(children) => ("union", children, true),
        Input::Cross(children) => ("cross", children, false),
        Input::Join(children) => ("join", children, false),
        Input::Group(children) => ("group", children, false),
    };
    let mut names = BTreeSet::new();
    for (index, child) in children.iter().enumerate() {
        let path = path.field(operator).index(index);
        for name in refuse_shared_names(child, &path, report) {
            if !may_share && names.contains(&name) {
                let message =
                    format!("the name {name:?} is used more than once in this {operator}");
                let advice = "both would be `/pfs/".to_owned()
                    + &name
                    + "`; give one of them another `name`";
                report.error(&path, message, advice);
            }
            names.insert(name);
        }
    }
    names
}
