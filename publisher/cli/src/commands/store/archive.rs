//! Reads a tar archive, file by file.

use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::Context as _;
use tar::{Archive, Entry, EntryType};
use tempfile::NamedTempFile;

use crate::commands::UsageError;

/// The first bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The size of a block of an archive.
const BLOCK: u64 = 512;

/// A file of an archive.
pub(super) struct UnpackedFile {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    /// The content, which is removed with the value.
    pub(super) file: NamedTempFile,
}

/// Passes each file to `take`, until it returns false. Directories are left out, as the store has none.
pub(super) fn unpack(
    archive: &mut dyn Read,
    mut take: impl FnMut(UnpackedFile) -> bool,
) -> anyhow::Result<()> {
    let mut first = Vec::new();
    Read::take(&mut *archive, BLOCK)
        .read_to_end(&mut first)
        .context("cannot read standard input")?;
    if first.starts_with(&GZIP) {
        return Err(refusal(
            "is compressed; unpack it first: gunzip -c FILE | drover put FOLDER/",
        ));
    }
    if first.is_empty() {
        return Err(refusal(
            "is empty; a folder takes a tar archive: tar -c . | drover put FOLDER/",
        ));
    }
    let not_tar = |error: io::Error| {
        refusal(&format!(
            "is no whole tar archive ({error}); for a single file, write its path without a slash at the end"
        ))
    };
    let mut archive = Archive::new(io::Cursor::new(first).chain(archive));
    for entry in archive.entries().map_err(not_tar)? {
        let mut entry = entry.map_err(not_tar)?;
        match entry.header().entry_type() {
            EntryType::Directory | EntryType::XGlobalHeader => {}
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                if !take(unpacked(&mut entry).map_err(not_tar)?) {
                    return Ok(());
                }
            }
            _ => {
                return Err(UsageError::place(
                    &entry.path().map_err(not_tar)?.display(),
                    "is a link or a special file, which the store does not keep; tar --dereference --hard-dereference packs the files behind links",
                ));
            }
        }
    }
    Ok(())
}

fn unpacked(entry: &mut Entry<'_, impl Read>) -> io::Result<UnpackedFile> {
    let path = entry.path()?.into_owned();
    let (file, size) = spool(entry)?;
    Ok(UnpackedFile { path, size, file })
}

/// A temporary file with all that `from` yields, and its size in bytes.
pub(super) fn spool(from: &mut impl Read) -> io::Result<(NamedTempFile, u64)> {
    let mut file = NamedTempFile::new()?;
    let size = io::copy(from, &mut file)?;
    Ok((file, size))
}

/// A refusal of standard input.
fn refusal(problem: &str) -> anyhow::Error {
    UsageError::place(&"standard input", problem)
}
