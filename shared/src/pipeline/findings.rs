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

/// The greatest number of findings reported at once; the rest is counted.
const MAX_FINDINGS: usize = 100;

/// The end of the message that counts the findings beyond the greatest number.
const NOT_SHOWN: &str = "more of them are not shown";

/// Findings in bounded memory.
#[derive(Clone, Debug, Default)]
pub(super) struct FindingList {
    errors: Vec<Finding>,
    notes: Vec<Finding>,
    more_errors: usize,
    more_notes: usize,
}

impl FindingList {
    /// Adds a finding, or counts it if the list is full. The caller builds only findings that are kept.
    pub(super) fn add(&mut self, severity: Severity, finding: impl FnOnce() -> Finding) {
        let (kept, more) = match severity {
            Severity::Error => (&mut self.errors, &mut self.more_errors),
            Severity::Note => (&mut self.notes, &mut self.more_notes),
        };
        if kept.len() < MAX_FINDINGS {
            kept.push(finding());
        } else {
            *more += 1;
        }
    }

    /// Adds all findings of a later document.
    pub(super) fn extend(&mut self, later: Self) {
        for finding in later.errors.into_iter().chain(later.notes) {
            self.add(finding.severity, || finding);
        }
        self.more_errors += later.more_errors;
        self.more_notes += later.more_notes;
    }

    /// True if there is an error.
    pub(super) fn is_refused(&self) -> bool {
        !self.errors.is_empty()
    }

    /// The findings in the order of the text; a last one counts the rest.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        let notes = MAX_FINDINGS - self.errors.len();
        let cut = self.notes.len().saturating_sub(notes);
        self.notes.truncate(notes);
        let rest = rest(
            self.more_errors,
            self.more_notes + cut,
            &self.errors,
            &self.notes,
        );
        let mut findings = self.errors;
        findings.extend(self.notes);
        findings.sort_by_key(|finding| (finding.line, finding.column));
        findings.extend(rest);
        findings
    }
}

/// The finding that counts the findings that are not shown; none if all are shown.
fn rest(
    errors: usize,
    notes: usize,
    shown: &[Finding],
    notes_shown: &[Finding],
) -> Option<Finding> {
    let first = shown.first().or(notes_shown.first())?;
    if errors + notes == 0 {
        return None;
    }
    Some(Finding {
        file: first.file.clone(),
        line: 0,
        column: 0,
        path: String::new(),
        message: format!("{}: {NOT_SHOWN}", counted(errors, notes)),
        advice: "correct the findings above, then validate again".to_owned(),
        severity: if errors > 0 {
            Severity::Error
        } else {
            Severity::Note
        },
    })
}

/// Keeps the first 100 notes of several specs and counts the rest in a last one.
pub fn limit_notes(notes: &mut Vec<Finding>) {
    let more = notes.len().saturating_sub(MAX_FINDINGS);
    notes.truncate(MAX_FINDINGS);
    notes.extend(rest(0, more, &[], notes));
}

/// Errors and notes apart: `2 errors, 1 note`.
pub fn count_findings(findings: &[Finding]) -> String {
    let is_rest = |finding: &&Finding| finding.message.ends_with(NOT_SHOWN);
    let count = |severity| {
        let of_kind = findings
            .iter()
            .filter(|finding| finding.severity == severity && !is_rest(finding));
        of_kind.count()
    };
    let counted = counted(count(Severity::Error), count(Severity::Note));
    if findings.iter().any(|finding| is_rest(&finding)) {
        format!("more than {counted}")
    } else {
        counted
    }
}

fn counted(errors: usize, notes: usize) -> String {
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let parts = [(errors, "error"), (notes, "note")];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, word)| format!("{count} {word}{}", plural(count)))
        .collect();
    parts.join(", ")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity, line: usize) -> Finding {
        Finding {
            file: "p.yaml".to_owned(),
            line,
            column: 1,
            path: String::new(),
            message: "wrong".to_owned(),
            advice: String::new(),
            severity,
        }
    }

    #[test]
    fn errors_come_before_notes_when_not_all_findings_are_shown() {
        let mut list = FindingList::default();
        for line in 1..=150 {
            list.add(Severity::Note, || finding(Severity::Note, line));
            if line % 2 == 0 {
                list.add(Severity::Error, || finding(Severity::Error, line));
            }
        }
        let findings = list.finish();
        assert_eq!(findings.len(), MAX_FINDINGS + 1);
        assert_eq!(count_findings(&findings), "more than 75 errors, 25 notes");
        assert_eq!(
            findings.last().unwrap().to_string(),
            "p.yaml: 125 notes: more of them are not shown (correct the findings above, then validate again)"
        );
    }

    #[test]
    fn notes_of_several_specs_are_limited() {
        let mut few = vec![finding(Severity::Note, 1); MAX_FINDINGS];
        limit_notes(&mut few);
        assert_eq!(few.len(), MAX_FINDINGS);
        let mut many = vec![finding(Severity::Note, 1); MAX_FINDINGS + 3];
        limit_notes(&mut many);
        assert_eq!(many.len(), MAX_FINDINGS + 1);
        assert!(many[MAX_FINDINGS].message.starts_with("3 notes:"));
    }

    #[test]
    fn errors_and_notes_are_counted_apart() {
        let (error, note) = (finding(Severity::Error, 1), finding(Severity::Note, 1));
        let rows = [
            (vec![error.clone()], "1 error"),
            (vec![note.clone(), note.clone()], "2 notes"),
            (vec![error.clone(), note, error], "2 errors, 1 note"),
        ];
        for (findings, counted) in rows {
            assert_eq!(count_findings(&findings), counted);
        }
    }
}
