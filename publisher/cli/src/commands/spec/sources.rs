//! Reads specs and one-liners, and sorts the pipelines.

use std::io::{ErrorKind, Read};
use std::path::Path;

use anyhow::Context as _;
use drover_shared::pipeline::{self, Finding, Pipeline, Severity};
use drover_shared::store::Location;
use drover_shared::trace_parent::TraceParent;
use serde_json::Value;

use crate::args::{EarlyEnd, Format, InputOverride, OneLiner, Sources};
use crate::commands::spec::file_list::FileListError;
use crate::commands::spec::shell::PipeShell;
use crate::commands::spec::{file_list, one_liner};
use crate::commands::{Context, UsageError};
use crate::render::SourceText;
use drover_core::catalog;
use drover_core::coordinator::{Assignment, Scope};

/// Name of a one-liner in findings.
const COMMAND_LINE: &str = "the command line";
/// Name of standard input on the command line and in findings.
const STANDARD_INPUT: &str = "-";

/// The first bytes of what `pachctl extract` writes.
const SNAPPY_STREAM: &[u8] = b"\xff\x06\x00\x00sNaPpY";
const BINARY_BACKUP: &str = "it is a binary backup of `pachctl extract`; take what `pachctl list pipeline --raw` prints, or `pachctl extract pipeline NAME`";

/// A valid pipeline.
#[derive(Clone, Debug)]
pub(crate) struct PreparedPipeline {
    /// The parsed pipeline.
    pub pipeline: Pipeline,
    /// The normalised spec.
    pub spec: Value,
}

/// Valid specs with their notes.
#[derive(Debug)]
pub(crate) struct CheckedSpecs {
    /// The pipelines in the given order.
    pub pipelines: Vec<PreparedPipeline>,
    /// Notes about the specs.
    pub notes: Vec<Finding>,
    /// Texts of the specs.
    pub texts: Vec<SourceText>,
}

impl PreparedPipeline {
    /// A new job over all datums of the pipeline.
    pub(crate) fn new_job(
        &self,
        reprocess: bool,
        early_end: &EarlyEnd,
        trace: Option<TraceParent>,
    ) -> Assignment {
        let Self { pipeline, spec } = self.clone();
        Assignment {
            keep_going: early_end.keeps_going(),
            halt: early_end.halt(),
            trace,
            ..Assignment::new(pipeline, spec, Scope::Everything, reprocess)
        }
    }
}

impl CheckedSpecs {
    /// Prints the notes about the specs.
    pub(crate) fn print_notes(&self, context: &Context) {
        if context.console.format == Format::Text {
            let message = |note| context.console.message(format!("note: {note}"));
            self.notes.iter().for_each(message);
        }
    }
}

/// Reads the pipelines for `run` and `plan`, sorted by dependency.
pub(crate) fn prepare(typed: &Sources, context: &Context) -> anyhow::Result<CheckedSpecs> {
    let mut checked = match typed.one_liner.out {
        Some(_) => check_one_liner(typed, context)?,
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

/// The pipeline of a one-liner, with a note on words that the author may have taken for placeholders.
fn check_one_liner(typed: &Sources, context: &Context) -> anyhow::Result<CheckedSpecs> {
    let mut checked = check(vec![one_liner_text(typed, context)?])?;
    let pipelines = checked.pipelines.iter();
    let leaves = pipelines.flat_map(|each| each.pipeline.input.leaves());
    let names: Vec<&str> = leaves.map(|leaf| leaf.name.as_str()).collect();
    let foreign = one_liner::foreign_placeholders(&typed.one_liner, &names);
    checked
        .notes
        .extend(foreign.into_iter().map(|word| Finding {
            file: String::new(),
            line: 0,
            column: 0,
            path: String::new(),
            message: format!("{word} is no placeholder, and stays as it is"),
            advice: "the placeholders are {} {/} {.} {/.} {//} {rel} {#} and {out}".to_owned(),
            severity: Severity::Note,
        }));
    Ok(checked)
}

/// Refuses clocks, because only registered pipelines have ticks.
fn refuse_clocks(prepared: &PreparedPipeline) -> anyhow::Result<()> {
    match prepared.pipeline.input.clocks().first() {
        None => Ok(()),
        Some(clock) => Err(UsageError::Clock {
            pipeline: prepared.pipeline.name.clone(),
            input: clock.ticks.name.clone(),
        }
        .into()),
    }
}

/// Reads all files; fails at the first unreadable one.
pub(crate) fn read_all(paths: &[impl AsRef<Path>]) -> anyhow::Result<Vec<SourceText>> {
    paths.iter().map(|path| read(path.as_ref())).collect()
}

/// Parses specs; an error holds the findings of all of them.
pub(crate) fn check(texts: Vec<SourceText>) -> anyhow::Result<CheckedSpecs> {
    let mut checked = CheckedSpecs {
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
                    checked.pipelines.push(PreparedPipeline {
                        pipeline: document.pipeline,
                        spec: document.spec,
                    });
                }
            }
            Err(found) => findings.extend(found.0.into_iter().map(placed)),
        }
    }
    if !findings.is_empty() {
        return Err(UsageError::Spec {
            findings,
            sources: texts,
        }
        .into());
    }
    pipeline::limit_notes(&mut checked.notes);
    checked.texts = texts;
    Ok(checked)
}

/// Removes the place of a finding in the generated spec of a one-liner, which the user never saw.
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

fn read(path: &Path) -> anyhow::Result<SourceText> {
    let file = path.display().to_string();
    let bytes = if file == STANDARD_INPUT {
        read_standard_input()
    } else {
        std::fs::read(path)
    };
    let refusal = |problem: String| UsageError::SpecFile {
        path: path.to_path_buf(),
        problem,
    };
    let bytes = bytes.map_err(|error| refusal(advice(path, &error)))?;
    if bytes.starts_with(SNAPPY_STREAM) {
        return Err(refusal(BINARY_BACKUP.to_owned()).into());
    }
    let not_text = |_| refusal("it is not UTF-8 text; a spec is JSON or YAML".to_owned());
    let text = String::from_utf8(bytes).map_err(not_text)?;
    Ok(SourceText { file, text })
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

fn one_liner_text(typed: &Sources, context: &Context) -> anyhow::Result<SourceText> {
    let location = context.location()?;
    let store = match &location {
        Location::Folder(folder) => Some(folder.as_path()),
        _ => None,
    };
    let one_liner_context = one_liner::OneLinerContext {
        store,
        current_dir: &context.current_dir,
        pipes: pipe_shell(&typed.one_liner, context),
    };
    let files = listed_files(&typed.one_liner, &context.current_dir)?;
    let spec = one_liner::spec(&typed.one_liner, &files, one_liner_context)?;
    Ok(SourceText {
        file: COMMAND_LINE.to_owned(),
        text: spec.to_string(),
    })
}

/// The shell for pipes, if the one-liner has a pipe. Workers elsewhere may have further shells.
fn pipe_shell(typed: &OneLiner, context: &Context) -> PipeShell {
    let scripts = typed.command.iter().chain(&typed.on_error);
    if context.broker.is_typed || !scripts.into_iter().any(|text| text.contains('|')) {
        return PipeShell::Plain;
    }
    PipeShell::find()
}

/// The paths of `--files-from`; relative ones are relative to `folder`.
fn listed_files(typed: &OneLiner, folder: &Path) -> anyhow::Result<Vec<String>> {
    let Some(list) = &typed.files_from else {
        return Ok(Vec::new());
    };
    let read = || {
        let bytes = if list.as_os_str() == STANDARD_INPUT {
            read_standard_input()
        } else {
            std::fs::read(list)
        };
        let paths = file_list::parse(&bytes?, typed.null)?;
        file_list::check(&paths, folder)?;
        Ok(paths)
    };
    let read: Result<_, FileListError> = read();
    read.with_context(|| format!("--files-from {}", list.display()))
}

/// Makes every input of a repo read another place.
fn replace_input(
    pipelines: &mut [PreparedPipeline],
    wanted: &InputOverride,
    context: &Context,
) -> anyhow::Result<()> {
    let url = match Location::parse(&wanted.place, &context.current_dir)? {
        Location::Folder(folder) => folder.display().to_string(),
        _ => wanted.place.clone(),
    };
    let mut replaced = 0;
    for each in pipelines.iter_mut() {
        let here = replace_below(&mut each.spec["input"], &wanted.repo, &url);
        if here > 0 {
            each.pipeline = pipeline::from_value(&each.spec).map_err(|found| UsageError::Spec {
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
    Err(UsageError::Override {
        repo: wanted.repo.clone(),
        known: known.join(", "),
    }
    .into())
}

/// Sets the `url` of every pfs leaf of `repo` below a node of the input tree; returns the number of leaves.
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
