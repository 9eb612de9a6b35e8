//! Errors of the search for code files.

use std::io;
use std::path::PathBuf;

use drover_shared::store::StoreError;

/// Errors of the search for code files.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// An entry of `code` names no file.
    #[error("`code` names {entry:?}, where no file is found; correct it, or delete it")]
    Missing {
        /// The entry as written.
        entry: String,
    },
    /// An entry of `code` names too many files.
    #[error("`code` names {entry:?}, which holds more than {most} files; name fewer")]
    TooMany {
        /// The entry as written.
        entry: String,
        /// The limit.
        most: usize,
    },
    /// A file or directory cannot be read.
    #[error("cannot read the code file {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
    /// The objects of an entry of `code` cannot be listed.
    #[error("cannot look for the code {entry:?} in the store")]
    Object {
        /// The entry as written.
        entry: String,
        /// The error of the store.
        #[source]
        source: StoreError,
    },
}
