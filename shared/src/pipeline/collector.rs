//! Collects findings and locates them in the text.

use std::collections::HashSet;

use super::document::{Node, Path, Position};
use super::findings::{Finding, Severity};

/// The findings of a document so far.
pub(super) struct FindingCollector<'document> {
    file: &'document str,
    root: &'document Node,
    findings: Vec<Finding>,
    /// Fields suggested for misspelt ones.
    suggested: HashSet<String>,
}

impl<'document> FindingCollector<'document> {
    pub(super) fn new(file: &'document str, root: &'document Node) -> Self {
        Self {
            file,
            root,
            findings: Vec::new(),
            suggested: HashSet::new(),
        }
    }

    /// Adds an error: the spec is refused because of the value at `path`.
    pub(super) fn error(
        &mut self,
        path: &Path,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(
            Severity::Error,
            self.root.position(path),
            path,
            message.into(),
            advice.into(),
        );
    }

    /// Adds a note about the value at `path`.
    pub(super) fn note(
        &mut self,
        path: &Path,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(
            Severity::Note,
            self.root.position(path),
            path,
            message.into(),
            advice.into(),
        );
    }

    /// Adds an error for an absent required field, unless the field or an enclosing object is
    /// already known to be wrong or misspelt.
    pub(super) fn missing(&mut self, path: &Path, advice: impl Into<String>) {
        if !self.holds(path)
            && !self.has_error_around(path)
            && !self.suggested.contains(&path.to_string())
        {
            self.error(path, "is missing", advice);
        }
    }

    /// Remembers that the field was suggested for a misspelt one.
    pub(super) fn add_suggestion(&mut self, path: &Path) {
        self.suggested.insert(path.to_string());
    }

    /// True if `path` or a value below it was refused already.
    pub(super) fn has_error_within(&self, path: &Path) -> bool {
        let path = path.to_string();
        self.errors().any(|finding| is_within(&finding.path, &path))
    }

    /// True if `path` or an enclosing value was refused already.
    fn has_error_around(&self, path: &Path) -> bool {
        let path = path.to_string();
        self.errors().any(|finding| is_within(&path, &finding.path))
    }

    fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
    }

    /// True if the text holds a value at `path`.
    pub(super) fn holds(&self, path: &Path) -> bool {
        self.root.holds(path)
    }

    /// Adds a finding at an explicit position, such as the position of a key.
    pub(super) fn add(
        &mut self,
        severity: Severity,
        at: Position,
        path: &Path,
        message: String,
        advice: String,
    ) {
        self.findings.push(Finding {
            file: self.file.to_owned(),
            line: at.line,
            column: at.column,
            path: path.to_string(),
            message,
            advice,
            severity,
        });
    }

    /// True if the spec was refused so far.
    pub(super) fn refused(&self) -> bool {
        self.errors().next().is_some()
    }

    /// All findings, in the order of the text.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        self.findings
            .sort_by_key(|finding| (finding.line, finding.column));
        self.findings
    }
}

/// True if a path equals `context` or lies below it; every path lies below the empty path.
fn is_within(path: &str, context: &str) -> bool {
    let rest = path.strip_prefix(context);
    rest.is_some_and(|rest| context.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
}
