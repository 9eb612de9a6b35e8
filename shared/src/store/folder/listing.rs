//! The sorted names of a directory, in little memory: a directory may hold a million names.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, RawDir, statat};

use super::temporary::UNFINISHED;
use crate::store::layout;

/// Bytes read from the kernel at once.
const READ_BYTES: usize = 64 * 1024;

/// Kind of a directory entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum EntryKind {
    File,
    Directory,
    /// A link to a file, or a dangling link.
    LinkedFile,
    LinkedDirectory,
    /// A device, FIFO or socket.
    Special,
}

/// The names in a directory, in byte order, a directory sorting as `name/`.
#[derive(Debug)]
pub(super) struct DirectoryListing {
    /// All names, concatenated; names of directories end with a slash.
    text: Vec<u8>,
    names: Vec<NameSlice>,
    next: usize,
}

/// A slice of the text. Eight bytes, because a directory may hold millions.
#[derive(Clone, Copy, Debug)]
struct NameSlice {
    start: u32,
    len: u16,
    kind: EntryKind,
}

impl DirectoryListing {
    /// Reads the directory; `top` is true for the walked directory, where Drover's own folder is skipped.
    pub(super) fn read(directory: &OwnedFd, top: bool) -> rustix::io::Result<Self> {
        let mut listing = Self {
            text: vec![],
            names: vec![],
            next: 0,
        };
        let mut buffer = vec![MaybeUninit::uninit(); READ_BYTES];
        let mut entries = RawDir::new(directory, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            let skipped = matches!(name, b"." | b"..")
                || (top && name == layout::DROVER_FOLDER.as_bytes())
                || name.ends_with(UNFINISHED.as_bytes());
            if !skipped && let Some(kind) = kind_of(directory, &entry)? {
                listing.push(name, kind)?;
            }
        }
        listing.sort();
        Ok(listing)
    }

    fn push(&mut self, name: &[u8], kind: EntryKind) -> rustix::io::Result<()> {
        let start = u32::try_from(self.text.len()).map_err(|_| rustix::io::Errno::OVERFLOW)?;
        self.text.extend_from_slice(name);
        if matches!(kind, EntryKind::Directory | EntryKind::LinkedDirectory) {
            self.text.push(b'/');
        }
        let len = u16::try_from(self.text.len() - start as usize)
            .map_err(|_| rustix::io::Errno::NAMETOOLONG)?;
        self.names.push(NameSlice { start, len, kind });
        Ok(())
    }

    fn sort(&mut self) {
        let Self { text, names, .. } = self;
        names.sort_unstable_by(|a, b| slice(text, *a).cmp(slice(text, *b)));
    }

    /// The next name, without a slash, and its kind.
    pub(super) fn next(&mut self) -> Option<(&[u8], EntryKind)> {
        let name = *self.names.get(self.next)?;
        self.next += 1;
        let text = slice(&self.text, name);
        Some((text.strip_suffix(b"/").unwrap_or(text), name.kind))
    }
}

fn slice(text: &[u8], name: NameSlice) -> &[u8] {
    &text[name.start as usize..][..usize::from(name.len)]
}

/// Kind of an entry; none if the entry is gone already.
fn kind_of(
    directory: &OwnedFd,
    entry: &rustix::fs::RawDirEntry<'_>,
) -> rustix::io::Result<Option<EntryKind>> {
    let mut file_type = entry.file_type();
    if file_type == FileType::Unknown {
        match statat(directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => file_type = FileType::from_raw_mode(stat.st_mode),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(match file_type {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => match statat(directory, entry.file_name(), AtFlags::empty()) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                EntryKind::LinkedDirectory
            }
            _ => EntryKind::LinkedFile,
        },
        _ => EntryKind::Special,
    }))
}
