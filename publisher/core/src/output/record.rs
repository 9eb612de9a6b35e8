//! The `published` record: the files that Drover wrote into the output folder, one line per file, sorted by path.
//!
//! Each publication writes the record twice. *Before* the first change the record names all files that are or may become
//! Drover's, files about to change without a version; *after* the last change it names the files in the folder. So files
//! of Drover are recognised whenever the process dies.

use std::io::{self, BufRead, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

/// A file that Drover wrote into the output folder.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct RecordedFile {
    /// Path, beginning with `/`.
    pub(super) path: String,
    /// Hash of the pieces, see [`DesiredFile::made_of`](super::piece::DesiredFile::made_of).
    pub(super) made_of: String,
    /// Version in the listing right after writing; none while the file is about to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    /// Versions of the pieces right after writing. Empty if unknown, or if the file is a hard link to its only piece.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) pieces: Vec<String>,
}

/// Reads a record, line by line.
pub(super) fn read(reader: impl BufRead) -> impl Iterator<Item = io::Result<RecordedFile>> {
    reader.lines().map(|line| Ok(serde_json::from_str(&line?)?))
}

/// Writes a record, line by line, into a temporary file.
#[derive(Debug)]
pub(super) struct RecordWriter {
    file: BufWriter<NamedTempFile>,
}

impl RecordWriter {
    /// A record in the folder `scratch`.
    pub(super) fn new(scratch: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(NamedTempFile::new_in(scratch)?),
        })
    }

    /// Adds a line; lines come sorted by path.
    pub(super) fn write(&mut self, recorded: &RecordedFile) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, recorded)?;
        self.file.write_all(b"\n")
    }

    /// The finished file.
    pub(super) fn finish(self) -> io::Result<NamedTempFile> {
        self.file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)
    }
}
