//! A list in a local file, which is moved into the store when it is whole.

use std::io::{self, BufWriter};
use std::path::Path;

use drover_shared::ledger::CheckedWriter;
use serde::Serialize;
use tempfile::NamedTempFile;

/// Writes a list of records, with its checksum, into a temporary file.
#[derive(Debug)]
pub(in crate::output) struct ScratchList(CheckedWriter<BufWriter<NamedTempFile>>);

impl ScratchList {
    /// A list in the folder `scratch`.
    pub(in crate::output) fn new(scratch: &Path) -> io::Result<Self> {
        let file = BufWriter::new(NamedTempFile::new_in(scratch)?);
        Ok(Self(CheckedWriter::of_list(file)))
    }

    /// Adds `record`, which is a JSON object.
    pub(in crate::output) fn write(&mut self, record: &impl Serialize) -> io::Result<()> {
        self.0.write_line(record)
    }

    /// The whole list.
    pub(in crate::output) fn finish(self) -> io::Result<NamedTempFile> {
        let file = self.0.finish()?;
        file.into_inner().map_err(io::IntoInnerError::into_error)
    }
}
