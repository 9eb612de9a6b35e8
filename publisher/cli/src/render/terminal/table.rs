//! Text tables: columns padded to their widest cell, two spaces between.

use console::{Alignment, measure_text_width, pad_str};

/// A table that can be printed in parts; columns keep the width of earlier parts.
#[derive(Clone, Debug)]
pub struct Table {
    alignments: Vec<Alignment>,
    widths: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Creates a table; a heading that ends in `>` aligns the column to the right.
    pub fn new(headings: &[&str]) -> Self {
        let alignment = |heading: &&str| {
            if heading.ends_with('>') {
                Alignment::Right
            } else {
                Alignment::Left
            }
        };
        let row = headings
            .iter()
            .map(|heading| heading.trim_end_matches('>').to_owned());
        let mut table = Self {
            alignments: headings.iter().map(alignment).collect(),
            widths: vec![0; headings.len()],
            rows: Vec::new(),
        };
        table.row(row.collect());
        table
    }

    /// Adds a row with as many cells as there are headings.
    pub fn row(&mut self, cells: Vec<String>) {
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = measure_text_width(cell).max(*width);
        }
        self.rows.push(cells);
    }

    /// Number of rows that were not taken yet, including the headings.
    pub fn waiting(&self) -> usize {
        self.rows.len()
    }

    /// The rows since the last call, one line each, without trailing spaces.
    pub fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.rows)
            .iter()
            .map(|row| self.line(row))
            .collect()
    }

    fn line(&self, row: &[String]) -> String {
        let cells = row.iter().zip(&self.alignments).zip(&self.widths);
        let padded: Vec<_> = cells
            .map(|((cell, alignment), width)| pad_str(cell, *width, *alignment, None))
            .collect();
        padded.join("  ").trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_seen_of_their_cells() {
        let mut table = Table::new(&["NAME", "SIZE>", "STATE"]);
        table.row(vec![
            "größe".into(),
            "5".into(),
            "\u{1b}[32msuccess\u{1b}[0m".into(),
        ]);
        table.row(vec!["a".into(), "12345".into(), String::new()]);
        assert_eq!(
            table.take_lines(),
            [
                "NAME    SIZE  STATE",
                "größe      5  \u{1b}[32msuccess\u{1b}[0m",
                "a      12345"
            ]
        );
    }
}
