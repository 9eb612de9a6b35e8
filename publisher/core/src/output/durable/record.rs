//! The `published` record: the files that Drover wrote into the output folder, one line per file, sorted by path.
//!
//! Each publication writes the record twice. *Before* the first change the record names all files that are or may become
//! Drover's, files about to change without a version; *after* the last change it names the files in the folder. So files
//! of Drover are recognised whenever the process dies.

use std::io::{self, BufRead};

use drover_shared::ledger::CheckedReader;
use serde::{Deserialize, Serialize};

/// A file that Drover wrote into the output folder.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::output) struct RecordedFile {
    /// Path, beginning with `/`.
    pub(in crate::output) path: String,
    /// Hash of the pieces, see [`DesiredFile::made_of`](super::piece::DesiredFile::made_of).
    pub(in crate::output) made_of: String,
    /// Version in the listing right after writing; none while the file is about to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::output) version: Option<String>,
    /// Versions of the pieces right after writing. Empty if unknown, or if the file is a hard link to its only piece.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::output) pieces: Vec<String>,
}

/// Reads a record, line by line. The last line fails if the record is damaged.
pub(in crate::output) fn read(
    reader: impl BufRead,
) -> impl Iterator<Item = io::Result<RecordedFile>> {
    let mut lines = CheckedReader::of_list(reader);
    let mut is_over = false;
    std::iter::from_fn(move || {
        let line = if is_over {
            None
        } else {
            lines.read_line().transpose()
        };
        is_over = !matches!(line, Some(Ok(_)));
        line
    })
}
