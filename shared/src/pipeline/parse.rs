//! Parses a text into pipelines, end to end.

use std::collections::HashMap;

use serde_json::Value;

use super::collector::FindingCollector;
use super::document::{self, DocumentError, Node, Path};
use super::findings::{Finding, FindingList, Findings, Severity};
use super::{Pipeline, check, resolve, spec};

/// A pipeline read from a text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The pipeline as meant.
    pub pipeline: Pipeline,
    /// The spec in its normal form: `snake_case`, lenient spellings corrected, absent fields left
    /// out, Kubernetes fields included. [`from_value`] reads it back.
    pub spec: Value,
    /// Notes: fields that are accepted but not used.
    pub notes: Vec<Finding>,
}

/// Reads the pipelines of a text, JSON or YAML, in the order written; at least one.
///
/// `file` names the text in findings; its extension selects JSON or YAML if the text is ambiguous.
///
/// ```
/// let text = "
/// pipeline: {name: word-count}
/// transform: {cmd: [sh], stdin: ['wc -w /pfs/texts/* > /pfs/out/counts']}
/// input: {pfs: {repo: texts, glob: '/*'}}
/// ";
/// let parsed = drover_shared::pipeline::parse("word-count.yaml", text)?;
/// assert_eq!(parsed[0].pipeline.name.as_str(), "word-count");
/// # Ok::<(), drover_shared::pipeline::Findings>(())
/// ```
pub fn parse(file: &str, text: &str) -> Result<Vec<Parsed>, Findings> {
    let documents =
        document::read(file, text).map_err(|error| Findings(vec![finding(file, error)]))?;
    let mut pipelines = Vec::new();
    let mut findings = FindingList::default();
    let mut names = HashMap::new();
    for root in &documents {
        let mut report = FindingCollector::new(file, root);
        let resolved = resolve_document(root, &mut report);
        if let Some((pipeline, _)) = &resolved {
            refuse_repeated(pipeline, root, &mut names, &mut report);
        }
        let found = report.finish();
        if let Some((pipeline, spec)) = resolved {
            pipelines.push(Parsed {
                pipeline,
                spec,
                notes: found.clone().finish(),
            });
        }
        findings.extend(found);
    }
    if findings.is_refused() {
        return Err(Findings(findings.finish()));
    }
    Ok(pipelines)
}

/// Reads a spec in its normal form, as stored in the ledger.
pub fn from_value(spec: &Value) -> Result<Pipeline, Findings> {
    let root = Node::from(spec);
    let mut report = FindingCollector::new("", &root);
    let resolved = resolve_document(&root, &mut report);
    resolved
        .map(|(pipeline, _)| pipeline)
        .ok_or_else(|| Findings(report.finish().finish()))
}

/// Resolves a document; returns the pipeline and the spec in normal form, or nothing if the document is refused.
fn resolve_document(root: &Node, report: &mut FindingCollector<'_>) -> Option<(Pipeline, Value)> {
    let checked = check::check(root, report);
    let typed: spec::Pipeline = serde_json::from_value(checked)
        .map_err(|error| report.error(&Path::root(), format!("cannot be read: {error}"), ""))
        .ok()?;
    let pipeline = resolve::pipeline(&typed, report);
    let spec = serde_json::to_value(&typed)
        .map_err(|error| report.error(&Path::root(), format!("cannot be kept: {error}"), ""))
        .ok()?;
    if report.refused() {
        return None;
    }
    pipeline.map(|pipeline| (pipeline, spec))
}

/// Two pipelines with the same name in a file would overwrite each other's output.
fn refuse_repeated(
    pipeline: &Pipeline,
    root: &Node,
    names: &mut HashMap<String, usize>,
    report: &mut FindingCollector<'_>,
) {
    let path = Path::root().field("pipeline").field("name");
    let line = root.position(&path).line;
    let name = pipeline.name.as_str();
    match names.get(name) {
        Some(first) => report.error(
            &path,
            format!("there are two pipelines {name:?} in this file"),
            format!("the first one is on line {first}; give one of them a different name"),
        ),
        None => drop(names.insert(name.to_owned(), line)),
    }
}

fn finding(file: &str, error: DocumentError) -> Finding {
    Finding {
        file: file.to_owned(),
        line: error.at.line,
        column: error.at.column,
        path: String::new(),
        message: error.message,
        advice: error.advice,
        severity: Severity::Error,
    }
}
