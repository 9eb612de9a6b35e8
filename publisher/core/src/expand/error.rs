//! Errors of an expansion.

use std::path::PathBuf;

use drover_shared::glob::GlobTooComplex;
use drover_shared::store::StoreError;

use crate::code::CodeError;

/// Errors of an expansion.
#[derive(Debug, thiserror::Error)]
pub enum ExpandError {
    /// The folder of a repo does not exist.
    #[error(
        "input {input:?} reads {}, which is not a folder; create it, or read another place with `--input {repo}=DIR`",
        folder.display()
    )]
    NoRepo {
        /// Name of the input.
        input: String,
        /// The repo.
        repo: String,
        /// The missing folder.
        folder: PathBuf,
    },
    /// Listing a leaf failed.
    #[error("cannot list input {input:?}")]
    List {
        /// Name of the input.
        input: String,
        /// The store's answer.
        #[source]
        source: StoreError,
    },
    /// Reading the content tag of a file failed.
    #[error("cannot read {path:?} of input {input:?}")]
    Read {
        /// Name of the input.
        input: String,
        /// Path of the file in the repo.
        path: String,
        /// The store's answer.
        #[source]
        source: StoreError,
    },
    /// The inputs make more datums than the pipeline allows.
    #[error(
        "the inputs make more than {most} datums, the limit of `max_datums`; narrow a glob or the `cross`, or raise `max_datums` in the spec"
    )]
    TooMany {
        /// The limit.
        most: u64,
    },
    /// The code files of the pipeline cannot be found or read.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// A glob with negations is too complex for some path.
    #[error("cannot tell what input {input:?} consists of")]
    Glob {
        /// Name of the input.
        input: String,
        /// The glob and the path.
        #[source]
        source: GlobTooComplex,
    },
}
