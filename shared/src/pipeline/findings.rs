//! Errors and notes about a spec, all at once, each with a position.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The spec cannot be used.
    Error,
    /// The spec is accepted; the finding is information.
    Note,
}

/// A finding about a spec: position, message and advice.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Finding {
    /// The file as named by the caller.
    pub file: String,
    /// The line, counted from 1; 0 when the spec was not read from a text.
    pub line: usize,
    /// The character within the line, counted from 1; 0 when the spec was not read from a text.
    pub column: usize,
    /// The field, for example `input.cross[1].pfs.glob`; empty for the document as a whole.
    pub path: String,
    /// The problem: lower-case, no full stop.
    pub message: String,
    /// The remedy; empty if the message already says it.
    pub advice: String,
    /// `error` if the spec is refused because of the finding, else `note`.
    pub severity: Severity,
}

impl fmt::Display for Finding {
    /// `file:line:column: path: message (advice)`, without the unknown parts.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(out, "{}:", self.file)?;
        }
        if self.line > 0 {
            write!(out, "{}:{}:", self.line, self.column)?;
        }
        if !self.file.is_empty() || self.line > 0 {
            out.write_str(" ")?;
        }
        if !self.path.is_empty() {
            write!(out, "{}: ", self.path)?;
        }
        out.write_str(&self.message)?;
        if !self.advice.is_empty() {
            write!(out, " ({})", self.advice)?;
        }
        Ok(())
    }
}

/// All findings of a refused spec: at least one error, in the order of the text.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct Findings(pub Vec<Finding>);

impl fmt::Display for Findings {
    /// A line for each finding.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, finding) in self.0.iter().enumerate() {
            let line_break = if number == 0 { "" } else { "\n" };
            write!(out, "{line_break}{finding}")?;
        }
        Ok(())
    }
}
