//! From what is typed to pipelines in the order to run them.

use std::io::{ErrorKind, Read};
use std::path::Path;

use drover_shared::pipeline::{self, Finding, Pipeline};
use drover_shared::store::Location;
use serde_json::Value;

use crate::args::{InputOverride, Sources};
use crate::commands::spec::one_liner;
use crate::commands::{CommandError, Context};
use crate::render::SourceText;
use drover_core::catalog;

/// The name of a one-liner in findings.
const COMMAND_LINE: &str = "the command line";
/// The name of standard input, on the command line and in findings.
const STANDARD_INPUT: &str = "-";

/// A pipeline, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// As meant.
    pub pipeline: Pipeline,
    /// As typed, normalised.
    pub spec: Value,
}

/// What specs hold, or all that is wrong with them.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The pipelines, as given; only when there are no errors.
    pub pipelines: Vec<Prepared>,
    /// What is good to know about them.
    pub notes: Vec<Finding>,
    /// Their texts.
    pub texts: Vec<SourceText>,
}

/// The pipelines that `run` and `plan` are about, in the order to run them.
pub(crate) fn prepare(typed: &Sources, context: &Context) -> Result<Checked, CommandError> {
    let mut checked = match typed.one_liner.out {
        Some(_) => check(vec![one_liner_text(typed, context)?])?,
        None => check(read_all(&typed.specs)?)?,
    };
    checked.pipelines.iter().try_for_each(refuse_clocks)?;
    for replacement in &typed.inputs {
        replace_input(&mut checked.pipelines, replacement, context)?;
    }
    let pipelines: Vec<&Pipeline> = checked
        .pipelines
        .iter()
        .map(|each| &each.pipeline)
        .collect();
    let order = catalog::order(&pipelines)?;
    checked.pipelines = order
        .into_iter()
        .map(|at| checked.pipelines[at].clone())
        .collect();
    Ok(checked)
}

/// Jobs that a person starts have no ticks.
fn refuse_clocks(prepared: &Prepared) -> Result<(), CommandError> {
    match prepared.pipeline.input.clocks().first() {
        None => Ok(()),
        Some(clock) => Err(CommandError::Clock {
            pipeline: prepared.pipeline.name.clone(),
            input: clock.ticks.name.clone(),
        }),
    }
}

/// Every file's text, or the first that cannot be read.
pub(crate) fn read_all(paths: &[impl AsRef<Path>]) -> Result<Vec<SourceText>, CommandError> {
    paths.iter().map(|path| read(path.as_ref())).collect()
}

/// The pipelines in some texts, or all findings in all of them.
pub(crate) fn check(texts: Vec<SourceText>) -> Result<Checked, CommandError> {
    let mut checked = Checked {
        pipelines: Vec::new(),
        notes: Vec::new(),
        texts: Vec::new(),
    };
    let mut findings = Vec::new();
    for source in &texts {
        match pipeline::parse(&source.file, &source.text) {
            Ok(parsed) => {
                for document in parsed {
                    checked.notes.extend(document.notes);
                    checked.pipelines.push(Prepared {
                        pipeline: document.pipeline,
                        spec: document.spec,
                    });
                }
            }
            Err(found) => findings.extend(found.0.into_iter().map(placed)),
        }
    }
    if !findings.is_empty() {
        return Err(CommandError::Spec {
            findings,
            sources: texts,
        });
    }
    checked.texts = texts;
    Ok(checked)
}

/// A finding about a one-liner without its place in the spec that was made of it: nobody typed that.
fn placed(finding: Finding) -> Finding {
    match finding.file.as_str() {
        COMMAND_LINE => Finding {
            line: 0,
            column: 0,
            ..finding
        },
        _ => finding,
    }
}

fn read(path: &Path) -> Result<SourceText, CommandError> {
    let file = path.display().to_string();
    let bytes = if file == STANDARD_INPUT {
        read_standard_input()
    } else {
        std::fs::read(path)
    };
    let refusal = |problem: String| CommandError::SpecFile {
        path: path.to_path_buf(),
        problem,
    };
    let bytes = bytes.map_err(|error| refusal(advice(path, &error)))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceText { file, text }),
        Err(_) => Err(refusal(
            "it is not UTF-8 text; a spec is JSON or YAML".to_owned(),
        )),
    }
}

fn read_standard_input() -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn advice(path: &Path, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::IsADirectory => {
            "it is a directory; name the spec in it, or use --glob for a one-liner over its files"
                .to_owned()
        }
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ if path.is_dir() => "it is a directory; name the spec in it".to_owned(),
        _ => error.to_string(),
    }
}

fn one_liner_text(typed: &Sources, context: &Context) -> Result<SourceText, CommandError> {
    let location = context.location()?;
    let store = match &location {
        Location::Folder(folder) => Some(folder.as_path()),
        _ => None,
    };
    let around = one_liner::Surroundings {
        store,
        current_dir: &context.current_dir,
    };
    let spec = one_liner::spec(&typed.one_liner, around)?;
    Ok(SourceText {
        file: COMMAND_LINE.to_owned(),
        text: spec.to_string(),
    })
}

/// Lets every input that reads a repo read another place instead.
fn replace_input(
    pipelines: &mut [Prepared],
    wanted: &InputOverride,
    context: &Context,
) -> Result<(), CommandError> {
    let url = match Location::parse(&wanted.place, &context.current_dir)? {
        Location::Folder(folder) => folder.display().to_string(),
        _ => wanted.place.clone(),
    };
    let mut replaced = 0;
    for each in pipelines.iter_mut() {
        let here = replace_below(&mut each.spec["input"], &wanted.repo, &url);
        if here > 0 {
            each.pipeline =
                pipeline::from_value(&each.spec).map_err(|found| CommandError::Spec {
                    findings: found.0,
                    sources: Vec::new(),
                })?;
        }
        replaced += here;
    }
    if replaced > 0 {
        return Ok(());
    }
    let leaves = pipelines
        .iter()
        .flat_map(|each| each.pipeline.input.leaves());
    let mut known: Vec<&str> = leaves.map(|leaf| leaf.repo.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    Err(CommandError::Override {
        repo: wanted.repo.clone(),
        known: known.join(", "),
    })
}

/// Sets the `url` of every pfs leaf below a node of the input tree that reads `repo`; tells how many there were.
fn replace_below(node: &mut Value, repo: &str, url: &str) -> usize {
    let mut replaced = 0;
    if let Some(pfs) = node.get_mut("pfs").filter(|pfs| pfs["repo"] == repo) {
        pfs["url"] = url.into();
        replaced += 1;
    }
    for operator in ["cross", "union", "join", "group"] {
        if let Some(Value::Array(children)) = node.get_mut(operator) {
            replaced += children
                .iter_mut()
                .map(|child| replace_below(child, repo, url))
                .sum::<usize>();
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_override_reaches_every_leaf_of_its_repo() {
        let mut input = json!({ "cross": [
            { "pfs": { "repo": "a", "glob": "/" } },
            { "union": [{ "pfs": { "repo": "b", "glob": "/" } }, { "pfs": { "repo": "a", "glob": "/*" } }] },
        ] });
        assert_eq!(replace_below(&mut input, "a", "/data"), 2);
        assert_eq!(input["cross"][1]["union"][1]["pfs"]["url"], "/data");
        assert_eq!(input["cross"][1]["union"][0]["pfs"].get("url"), None);
    }
}
