//! Errors of a publication.

use drover_shared::store::{StoreError, StoreKey};

/// Errors of a publication. Publishing again is always safe.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Several datums wrote the same path, and `output_conflict` is `error`.
    #[error(
        "datums {first} and {second} both wrote {path}, from {first_input} and {second_input}; let each write a path of \
         its own (such as {{out}}/{{rel}} in a one-liner), or join them: output_conflict: concat in a spec, --concat in a one-liner"
    )]
    Conflict {
        /// Path in the output folder.
        path: String,
        /// The first datum, by index.
        first: u64,
        /// First input of the first datum.
        first_input: String,
        /// A second datum, by index.
        second: u64,
        /// First input of the second datum.
        second_input: String,
    },
    /// A path would have to be both a file and a directory.
    #[error("{file} is a file, so {path} cannot be stored; datums must not write both")]
    Clash {
        /// The file.
        file: String,
        /// The path below the file.
        path: String,
    },
    /// A foreign file or link occupies a desired path.
    #[error(
        "{path} in the output folder is not Drover's{kind}; move it away, or give the pipeline another name, and run \
         again: what is done is not done again"
    )]
    InTheWay {
        /// Key of the file.
        path: StoreKey,
        /// Begins with a comma, or is empty.
        kind: &'static str,
    },
    /// The output folder is a dangling link or no directory.
    #[error("the output folder {folder} {problem}, and run again: what is done is not done again")]
    NoFolder {
        /// The output folder.
        folder: StoreKey,
        /// The problem and the way out.
        problem: &'static str,
    },
    /// Staged outputs of some datums are missing or altered.
    #[error(
        "the stored output of {} datums is gone or was altered, first that of datum {}; run again, and they are \
         done anew",
        .datums.len(),
        .datums.first().copied().unwrap_or_default()
    )]
    Lost {
        /// The datums, by index, ascending.
        datums: Vec<u64>,
    },
    /// The record of what was published is damaged.
    #[error(
        "{key} is damaged; remove it together with the output folder, and run again: nothing is done twice"
    )]
    Damaged {
        /// The record.
        key: StoreKey,
        /// The parse error.
        #[source]
        source: std::io::Error,
    },
    /// The store failed.
    #[error("cannot bring the output folder up to date")]
    Store(#[from] StoreError),
    /// Scratch space failed.
    #[error("cannot write below the scratch folder")]
    Scratch(#[from] std::io::Error),
    /// The job was stopped.
    #[error("stopped before the output was published")]
    Stopped,
}
