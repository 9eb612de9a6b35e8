//! Lists of the publication in the store: lines with checksums, and the record of Drover's files.

mod checked_lines;
mod record;

pub(super) use checked_lines::{LineReader, LineWriter};
pub(super) use record::{RecordedFile, read};
