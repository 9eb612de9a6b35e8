//! Collects findings and gives each its place in the text.

use std::collections::HashSet;

use super::document::{Node, Path, Position};
use super::findings::{Finding, Severity};

/// The findings of one document so far.
pub(super) struct FindingCollector<'document> {
    file: &'document str,
    root: &'document Node,
    findings: Vec<Finding>,
    /// Fields that a misspelt one probably stands for.
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

    /// The spec is refused for what stands at `path`.
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

    /// Something at `path` is good to know.
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

    /// A required field is absent. Not told where it, or what it stands in, is wrong in itself or
    /// misspelt: that has been told already.
    pub(super) fn missing(&mut self, path: &Path, advice: impl Into<String>) {
        if !self.holds(path)
            && !self.has_error_around(path)
            && !self.suggested.contains(&path.to_string())
        {
            self.error(path, "is missing", advice);
        }
    }

    /// A misspelt field was told together with this suggestion.
    pub(super) fn add_suggestion(&mut self, path: &Path) {
        self.suggested.insert(path.to_string());
    }

    /// Whether something at or below `path` was refused already.
    pub(super) fn has_error_within(&self, path: &Path) -> bool {
        let path = path.to_string();
        self.errors().any(|finding| is_within(&finding.path, &path))
    }

    /// Whether `path` or something around it was refused already.
    fn has_error_around(&self, path: &Path) -> bool {
        let path = path.to_string();
        self.errors().any(|finding| is_within(&path, &finding.path))
    }

    fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
    }

    /// Whether anything was written at `path`.
    pub(super) fn holds(&self, path: &Path) -> bool {
        self.root.holds(path)
    }

    /// A finding at a place that no path leads to, such as a key.
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

    /// Whether the spec was refused so far.
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

/// Whether a path is `around` or stands below it; everything stands below the empty path.
fn is_within(path: &str, context: &str) -> bool {
    let rest = path.strip_prefix(context);
    rest.is_some_and(|rest| context.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
}
