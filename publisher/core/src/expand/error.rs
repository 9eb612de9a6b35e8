//! Why an expansion cannot begin or go on.

use std::path::PathBuf;

use drover_shared::glob::GlobTooComplex;
use drover_shared::store::StoreError;

/// Why an expansion cannot begin or go on.
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
        /// The folder it should be.
        folder: PathBuf,
    },
    /// A leaf's listing cannot be had.
    #[error("cannot list input {input:?}")]
    List {
        /// Name of the input.
        input: String,
        /// The store's answer.
        #[source]
        source: StoreError,
    },
    /// What stands for the content of a file cannot be had.
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
    /// A glob with negations that explode on some path.
    #[error("cannot tell what input {input:?} consists of")]
    Glob {
        /// Name of the input.
        input: String,
        /// The glob and the path.
        #[source]
        source: GlobTooComplex,
    },
}
