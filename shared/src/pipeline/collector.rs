//! Collects findings and locates them in the text.

use std::collections::HashSet;

use super::document::{Node, Path, Position};
use super::findings::{Finding, FindingList, Severity};

/// The findings of a document so far.
pub(super) struct FindingCollector<'document> {
    file: &'document str,
    root: &'document Node,
    findings: FindingList,
    /// Paths of errors.
    wrong: HashSet<String>,
    /// Paths of errors and of all enclosing values.
    wrong_within: HashSet<String>,
    /// Fields suggested for misspelt ones.
    suggested: HashSet<String>,
}

impl<'document> FindingCollector<'document> {
    pub(super) fn new(file: &'document str, root: &'document Node) -> Self {
        Self {
            file,
            root,
            findings: FindingList::default(),
            wrong: HashSet::new(),
            wrong_within: HashSet::new(),
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
        self.add(Severity::Error, None, path, message, advice);
    }

    /// Adds a note about the value at `path`.
    pub(super) fn note(
        &mut self,
        path: &Path,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(Severity::Note, None, path, message, advice);
    }

    /// Adds an error for a required field that is absent or empty, unless the field, its content or an enclosing object
    /// is already known to be wrong or misspelt.
    pub(super) fn missing(&mut self, path: &Path, advice: impl Into<String>) {
        let is_known = self.has_error_within(path)
            || self.has_error_around(path)
            || self.suggested.contains(&path.to_string());
        if !is_known {
            let message = if self.holds(path) {
                "is empty"
            } else {
                "is missing"
            };
            self.error(path, message, advice);
        }
    }

    /// Remembers the suggestion of the field for a misspelt name.
    pub(super) fn add_suggestion(&mut self, path: &Path) {
        self.suggested.insert(path.to_string());
    }

    /// True if `path` or a value below it was refused already.
    pub(super) fn has_error_within(&self, path: &Path) -> bool {
        self.wrong_within.contains(&path.to_string())
    }

    /// True if `path` or an enclosing value was refused already.
    fn has_error_around(&self, path: &Path) -> bool {
        let mut around = path.and_enclosing().into_iter();
        around.any(|path| self.wrong.contains(&path))
    }

    /// True if the text holds a value at `path`.
    pub(super) fn holds(&self, path: &Path) -> bool {
        self.root.holds(path)
    }

    /// Adds a finding, at an explicit position such as the position of a key, or at the value.
    pub(super) fn add(
        &mut self,
        severity: Severity,
        at: Option<Position>,
        path: &Path,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        if severity == Severity::Error {
            self.wrong.insert(path.to_string());
            self.wrong_within.extend(path.and_enclosing());
        }
        let (file, root) = (self.file, self.root);
        self.findings.add(severity, || {
            let at = at.unwrap_or_else(|| root.position(path));
            Finding {
                file: file.to_owned(),
                line: at.line,
                column: at.column,
                path: path.to_string(),
                message: message.into(),
                advice: advice.into(),
                severity,
            }
        });
    }

    /// True if the spec was refused so far.
    pub(super) fn refused(&self) -> bool {
        self.findings.is_refused()
    }

    /// All findings.
    pub(super) fn finish(self) -> FindingList {
        self.findings
    }
}
