//! The tasks: what goes in, what comes out, and the commands that all tools share.

use std::fs;
use std::path::PathBuf;

use drover_tests::repository;

use super::corpus::{self, Inputs};
use super::tool::Tool;
use crate::setting;

/// One task, written once for each tool.
pub(super) struct Task {
    /// Name, and the folder with the scripts.
    pub(super) name: &'static str,
    /// Packages of Debian that hold the data and the commands.
    packages: &'static str,
    /// The folders that a run makes.
    pub(super) made: &'static [&'static str],
    /// The command whose begins are counted while tools are killed.
    pub(super) counted: &'static str,
    /// Environment variable and default for the number of inputs; 0 stands for all.
    number: (&'static str, u64),
    corpus: fn(usize) -> Result<Inputs, String>,
}

/// Pictures to thumbnails and contact sheets; scanned pages to text and an index; many small files to word counts and an index.
pub(super) const TASKS: &[Task] = &[
    Task {
        name: "images",
        packages: "openclipart-svg librsvg2-bin imagemagick",
        made: &["thumbs", "sheets"],
        counted: "rsvg-convert",
        number: ("IMAGES", 600),
        corpus: corpus::images,
    },
    Task {
        name: "pages",
        packages: "texlive-latex-recommended-doc poppler-utils tesseract-ocr",
        made: &["index"],
        counted: "tesseract",
        number: ("PDFS", 12),
        corpus: corpus::pages,
    },
    Task {
        name: "documents",
        packages: "linux-doc-6.1",
        made: &["counts", "index"],
        counted: "count",
        number: ("DOCUMENTS", 2_000),
        corpus: corpus::documents,
    },
];

impl Task {
    /// The inputs, or the reason for their absence and the way out.
    pub(super) fn inputs(&self) -> Result<Inputs, String> {
        let number = match setting(self.number.0, self.number.1) {
            0 => usize::MAX,
            number => usize::try_from(number).map_err(|error| error.to_string())?,
        };
        (self.corpus)(number).map_err(|why| format!("{why}; apt-get install {}", self.packages))
    }

    /// The folder with the scripts of the task.
    pub(super) fn scripts(&self) -> PathBuf {
        repository().join("tests/benches/real").join(self.name)
    }

    /// Lines that a user of the tool writes, without empty lines.
    pub(super) fn lines(&self, tool: &Tool) -> usize {
        let files = tool.files.iter().map(|file| self.scripts().join(file));
        files
            .filter_map(|file| fs::read_to_string(file).ok())
            .map(|text| text.lines().filter(|line| !line.trim().is_empty()).count())
            .sum()
    }
}
