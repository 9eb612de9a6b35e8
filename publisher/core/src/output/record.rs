//! What lies in the output folder by our own doing: the `published` record, one line a file, sorted by path.
//!
//! It is written twice for each publication. *Before* anything is touched it names all files that are ours
//! already or may become so, those about to change without a version; *after* it names what lies there.
//! So a file found in the output folder is known to be ours whenever the process dies.

use std::io::{self, BufRead, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

/// A file of the output folder that is ours.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Recorded {
    /// Its path, beginning with `/`.
    pub(super) path: String,
    /// What it was made of, see [`Wanted::made_of`](super::piece::Wanted::made_of).
    pub(super) made_of: String,
    /// The version that the listing showed right after it was written; none if it was about to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
}

/// Reads a record, line by line.
pub(super) fn read(reader: impl BufRead) -> impl Iterator<Item = io::Result<Recorded>> {
    reader.lines().map(|line| Ok(serde_json::from_str(&line?)?))
}

/// Writes a record, line by line, into a file that is gone unless it is put into the store.
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
    pub(super) fn write(&mut self, recorded: &Recorded) -> io::Result<()> {
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
