//! Errors of one-liners.

use drover_shared::id::{InvalidId, PipelineName};

/// An invalid one-liner.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OneLinerError {
    /// `--out` is no valid name of a pipeline.
    #[error("--out names the pipeline and its output folder")]
    Out(#[source] InvalidId),
    /// The command is missing.
    #[error(
        "--glob needs a command to run, after `--`: drover run --glob 'photos/*.jpg' --out thumbs -- COMMAND '{{}}'"
    )]
    NoCommand,
    /// The name of the program is empty.
    #[error(
        "the command after `--` is empty; name a program and its arguments, or one script in quotes"
    )]
    EmptyCommand,
    /// `--glob` is empty.
    #[error("--glob is empty; give the path of the files, for example 'photos/*.jpg'")]
    EmptyGlob,
    /// `--glob` holds what only a shell replaces.
    #[error(
        "--glob {glob:?} begins with {what}, which the shell leaves alone inside single quotes; write the path itself, or \"$HOME\"'/photos/*.jpg'"
    )]
    Unexpanded {
        /// The glob as typed.
        glob: String,
        /// The part for the shell.
        what: &'static str,
    },
    /// `--glob` is quoted twice.
    #[error("--glob {glob} holds the quotes themselves; one pair of quotes is enough")]
    Quoted {
        /// The glob as typed.
        glob: String,
    },
    /// The output folder is the input.
    #[error(
        "--out {out} is the very folder that is read; choose another name for the output, for example {out}-out"
    )]
    OutIsInput {
        /// The name.
        out: PipelineName,
    },
    /// `--files-from` lists no files.
    #[error("--files-from {list}: the list is empty")]
    NoFiles {
        /// The list as typed.
        list: String,
    },
    /// The files of `--files-from` have no folder in common.
    #[error(
        "--files-from {list}: the files lie in different folders below /; put them below one folder"
    )]
    NoFolder {
        /// The list as typed.
        list: String,
    },
    /// Two inputs have the same name.
    #[error(
        "two inputs have the name {name:?}; write a spec, where each input can have its own `name`"
    )]
    SameName {
        /// The name.
        name: String,
    },
}
