//! Findings in specs, shown with the line of the spec.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use drover_shared::pipeline::{Finding, Severity};

use crate::render::Palette;
use crate::render::terminal::text::printable;

/// Maximum width of a finding.
const WIDTH: usize = 120;

/// A text that findings refer to.
#[derive(Clone, Debug)]
pub struct SourceText {
    /// File name in findings.
    pub file: String,
    /// The whole text.
    pub text: String,
}

/// A finding with its line, in the style of a compiler.
pub fn finding(finding: &Finding, sources: &[SourceText], colours: Palette) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Note => Level::NOTE,
    };
    let source = sources
        .iter()
        .find(|source| source.file == finding.file && finding.line > 0);
    let title = match finding.path.as_str() {
        "" => printable(&finding.message),
        path => printable(&format!("{path}: {}", finding.message)),
    };
    let mut group = level
        .primary_title(title)
        .elements(Vec::<annotate_snippets::Element<'_>>::new());
    if let Some(source) = source {
        let line = source
            .text
            .lines()
            .nth(finding.line - 1)
            .unwrap_or_default();
        let place = AnnotationKind::Primary.span(span(line, finding.column));
        group = group.element(
            Snippet::source(line)
                .line_start(finding.line)
                .path(&finding.file)
                .annotation(place),
        );
    }
    if !finding.advice.is_empty() {
        group = group.element(Level::HELP.message(printable(&finding.advice)));
    }
    let renderer = if colours.is_coloured() {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.term_width(WIDTH).render(&[group])
}

/// Byte range of the word at a column, counted from 1.
fn span(line: &str, column: usize) -> Range<usize> {
    let at = line
        .char_indices()
        .nth(column.saturating_sub(1))
        .map_or(line.len(), |(at, _)| at);
    at..at + word(&line[at..])
}

/// Length of the word or quoted text at the begin of a text.
fn word(text: &str) -> usize {
    let mut characters = text.char_indices();
    match characters.next() {
        None => 0,
        Some((_, quote @ ('"' | '\''))) => characters
            .find(|(_, each)| *each == quote)
            .map_or(text.len(), |(at, _)| at + 1),
        Some((_, first)) => {
            let ends = |each: char| {
                each.is_whitespace() || matches!(each, ',' | ':' | '[' | ']' | '{' | '}')
            };
            characters
                .find(|(_, each)| ends(*each))
                .map_or(text.len(), |(at, _)| at)
                .max(first.len_utf8())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: usize, column: usize, advice: &str) -> String {
        let text = "pipeline:\n  name: größe\ntransfrom:\n  cmd: [\"a b\", c]\n";
        let found = Finding {
            file: "p.yaml".to_owned(),
            line,
            column,
            path: "transfrom".to_owned(),
            message: "unknown field".to_owned(),
            advice: advice.to_owned(),
            severity: Severity::Error,
        };
        let source = SourceText {
            file: "p.yaml".to_owned(),
            text: text.to_owned(),
        };
        finding(&found, &[source], Palette::plain())
    }

    #[test]
    fn a_finding_points_at_its_word() {
        insta::assert_snapshot!(shown(3, 1, "did you mean `transform`?"), @"
        error: transfrom: unknown field
         --> p.yaml:3:1
          |
        3 | transfrom:
          | ^^^^^^^^^
          |
          = help: did you mean `transform`?
        ");
        insta::assert_snapshot!(shown(4, 9, ""), @r#"
        error: transfrom: unknown field
         --> p.yaml:4:9
          |
        4 |   cmd: ["a b", c]
          |         ^^^^^
        "#);
    }

    #[test]
    fn a_finding_without_a_place_is_still_told() {
        insta::assert_snapshot!(shown(0, 0, "write it"), @"
        error: transfrom: unknown field
         |
         = help: write it
        ");
    }

    #[test]
    fn a_place_outside_the_text_does_no_harm() {
        for (line, column) in [(1, 999), (99, 1), (5, 1), (2, 12)] {
            assert!(shown(line, column, "").contains("unknown field"));
        }
    }
}
