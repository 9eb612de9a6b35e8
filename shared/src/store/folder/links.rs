//! Symbolic links in an input folder: followed inside the store, refused if the target is outside.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::store::layout;

/// Where links may lead.
#[derive(Debug)]
pub(super) struct LinkBounds {
    store: PathBuf,
    ours: PathBuf,
    walked: PathBuf,
}

impl LinkBounds {
    /// Allows targets inside the store at `store`, or inside the walked folder, which may itself be a link to another
    /// place.
    pub(super) fn new(store: &Path, walked: &Path) -> io::Result<Self> {
        let store = store.canonicalize()?;
        Ok(Self {
            ours: store.join(layout::DROVER_FOLDER),
            store,
            walked: walked.canonicalize()?,
        })
    }

    /// The real path of the walked folder.
    pub(super) fn walked(&self) -> &Path {
        &self.walked
    }

    /// The target of the link at `path`; the error says why the link may not be followed.
    pub(super) fn follow(&self, path: &Path) -> Result<PathBuf, &'static str> {
        let target = path.canonicalize().map_err(|error| match error.kind() {
            _ if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
                "it is a link in a loop; remove the link"
            }
            io::ErrorKind::NotFound => {
                "it is a dangling link; remove the link or restore its target"
            }
            io::ErrorKind::PermissionDenied => "it is a link to a target that may not be read",
            _ => "it is a link that cannot be followed",
        })?;
        let inside = target.starts_with(&self.walked)
            || (target.starts_with(&self.store) && !target.starts_with(&self.ours));
        if inside {
            Ok(target)
        } else {
            Err(
                "it is a link that leaves the store; copy the files in, or read their folder with `pfs.url` or --input",
            )
        }
    }
}
