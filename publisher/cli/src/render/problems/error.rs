//! Errors, on standard error: for people, or as JSON.

use drover_shared::pipeline::{Finding, Severity};
use serde::Serialize;

use crate::args::Format;
use crate::render::problems::findings::{SourceText, finding};
use crate::render::terminal::text::printable;
use crate::render::{Console, Palette};

/// Reports an error with its findings.
pub fn error(
    kind: &str,
    error: &anyhow::Error,
    findings: &[Finding],
    sources: &[SourceText],
    console: Console,
) {
    match console.format {
        Format::Json => console.error(json_error(kind, &with_causes(error), findings)),
        Format::Text => text_error(error, findings, sources, console.err)
            .iter()
            .for_each(|line| console.error(line)),
    }
}

/// Reports an invalid command line to a person.
pub fn usage(refusal: &clap::Error, advice: Option<&str>, console: Console) {
    let text = refusal.render();
    let text = if console.err.is_coloured() {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    // A removed guess of clap leaves its empty line.
    console.error(text.replace("\n\n\n", "\n\n").trim_end());
    if let Some(advice) = advice {
        console.error(format!("\n{}: {advice}", console.err.bold("advice")));
    }
}

/// Reports an invalid command line as JSON.
pub fn usage_as_json(text: &str, advice: Option<&str>, console: Console) {
    let message = text
        .split("\n\n")
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ");
    let message = match advice {
        Some(advice) => format!("{message}; {advice}"),
        None => message.to_owned(),
    };
    console.error(json_error("usage", &message, &[]));
}

fn text_error(
    error: &anyhow::Error,
    findings: &[Finding],
    sources: &[SourceText],
    colours: Palette,
) -> Vec<String> {
    let summary = format!("{}: {}", colours.bad("error"), with_causes(error));
    let mut lines: Vec<String> = findings
        .iter()
        .map(|each| finding(each, sources, colours) + "\n")
        .collect();
    match findings {
        [_] => {}
        _ => lines.push(summary),
    }
    lines
}

/// `{"error":{…}}`: a contract (`docs/cli.md`).
#[derive(Serialize)]
struct ErrorJson<'a> {
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    kind: &'a str,
    message: &'a str,
    findings: Vec<FindingJson<'a>>,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    path: &'a str,
    message: &'a str,
    advice: &'a str,
}

fn json_error(kind: &str, message: &str, findings: &[Finding]) -> String {
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    let findings = errors.map(|each| FindingJson {
        file: &each.file,
        line: each.line,
        column: each.column,
        path: &each.path,
        message: &each.message,
        advice: &each.advice,
    });
    let error = ErrorBody {
        kind,
        message,
        findings: findings.collect(),
    };
    serde_json::to_string(&ErrorJson { error }).unwrap_or_default()
}

/// The error with its causes.
fn with_causes(error: &anyhow::Error) -> String {
    printable(&format!("{error:#}"))
}
