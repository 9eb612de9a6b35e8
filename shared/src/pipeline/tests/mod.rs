//! Tests over all steps of this module.

mod clocks;
mod every_field;
mod laws;
mod messages;
mod notations;
mod rules;

use super::{Finding, Findings, Parsed, Severity, parse};

/// A spec with only the required fields, as JSON.
const LEAST: &str = r#"{"pipeline": {"name": "p"}, "transform": {"cmd": ["true"]},
    "input": {"pfs": {"repo": "in", "glob": "/*"}}}"#;

/// The pipeline of a valid text with a single pipeline.
fn accepted(text: &str) -> Parsed {
    match parse("spec", text) {
        Ok(mut parsed) if parsed.len() == 1 => parsed.remove(0),
        Ok(parsed) => panic!("{} pipelines in {text}", parsed.len()),
        Err(findings) => panic!("{text}\nwas refused:\n{findings}"),
    }
}

/// The errors of a refused text.
fn refused(text: &str) -> Vec<Finding> {
    match parse("spec", text) {
        Ok(_) => panic!("{text}\nwas accepted"),
        Err(Findings(findings)) => {
            let is_error = |finding: &Finding| finding.severity == Severity::Error;
            findings.into_iter().filter(is_error).collect()
        }
    }
}

/// The minimal spec with additional YAML at the top level.
fn with_top(yaml: &str) -> String {
    format!(
        "pipeline: {{name: p}}\ntransform: {{cmd: ['true']}}\ninput: {{pfs: {{repo: in, glob: '/*'}}}}\n{yaml}\n"
    )
}

/// The minimal spec with additional fields in its transform.
fn with_transform(fields: &str) -> String {
    format!(
        "pipeline: {{name: p}}\ntransform: {{cmd: ['true'], {fields}}}\ninput: {{pfs: {{repo: in, glob: '/*'}}}}\n"
    )
}

/// The minimal spec with a different input.
fn with_input(yaml: &str) -> String {
    format!("pipeline: {{name: p}}\ntransform: {{cmd: ['true']}}\ninput: {yaml}\n")
}
