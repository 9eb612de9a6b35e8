//! A pipeline written on the command line instead of in a file.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::values::{positive_duration, positive_number};

/// A pipeline written on the command line instead of in a file.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "One-liner, instead of a SPEC")]
pub struct OneLiner {
    /// The input files, each one a datum: 'photos/*.jpg', or REPO:GLOB as in a spec
    ///
    /// `photos/*.jpg` is a path as in a shell (quote it, so that the shell leaves it alone). With a colon,
    /// `photos:/**.jpg` or `s3://bucket/logs:/*/*.gz`, the folder stands before the colon and a glob of the spec's
    /// grammar after it. A glob that ends in `/` takes directories too, each with all files below it as one datum.
    /// With several globs, every combination is a datum; the last glob varies fastest.
    #[arg(
        long,
        value_name = "GLOB",
        group = "files",
        requires = "out",
        conflicts_with = "specs"
    )]
    pub glob: Vec<String>,

    /// Read the paths of the input files from this file, one a line; `-` reads standard input
    ///
    /// For the output of `find` and other tools. The files must lie below one folder, and each one is a datum.
    #[arg(
        long,
        value_name = "FILE",
        group = "files",
        requires = "out",
        conflicts_with_all = ["specs", "glob"]
    )]
    pub files_from: Option<PathBuf>,

    /// The paths of `--files-from` end with a zero byte instead of a line break, as `find -print0` writes them
    #[arg(long, short = '0', requires = "files_from", conflicts_with = "glob")]
    pub null: bool,

    /// The output folder in the store; also the name under which finished work is remembered
    #[arg(long, value_name = "NAME", requires = "files")]
    pub out: Option<String>,

    /// Give each file to its command as standard input
    #[arg(long, requires = "files")]
    pub stdin: bool,

    /// Write the standard output of each command to this file, for example '{/.}.txt'
    ///
    /// A name without placeholders collects all outputs in one file, in the order of the inputs.
    #[arg(long, value_name = "FILE", requires = "files")]
    pub stdout: Option<String>,

    /// Join what several datums write to one path, in the order of the inputs; by default that is an error
    #[arg(long, requires = "files")]
    pub concat: bool,

    /// A file, directory or glob whose content counts as part of the command: a change runs the work again
    ///
    /// Files that words of the command name count without it, unless they lie in a directory of the system. Use it for
    /// imported modules, models and the like. May be given several times.
    #[arg(long, value_name = "PATH", requires = "files")]
    pub code: Vec<String>,

    /// Attempts for each datum, in all [default: 3]
    #[arg(long, value_name = "N", requires = "files", value_parser = positive_number, allow_negative_numbers = true)]
    pub tries: Option<NonZeroU32>,

    /// Longest time for one attempt, for example 90s or 5m [default: none]
    #[arg(long, value_name = "TIME", requires = "files", value_parser = positive_duration)]
    pub timeout: Option<Duration>,

    /// Shell command for a datum whose attempts all failed; if it succeeds, the job may too
    #[arg(long, value_name = "COMMAND", requires = "files")]
    pub on_error: Option<String>,

    /// Print the spec of the one-liner and exit, to save it or to extend it
    #[arg(long, requires = "files")]
    pub print_spec: bool,

    /// The command and its arguments; a single argument with spaces in it is run by `sh`
    ///
    /// Replaced in it: {} the file's path, {/} its name, {.} the path without extension, {/.} the name
    /// without extension, {//} its directory, {rel} the path below the glob's part without wildcards,
    /// {#} the datum's number from 0, {out} the output directory, {NAME} the path of the input called NAME.
    #[arg(last = true, value_name = "COMMAND", requires = "files")]
    pub command: Vec<String>,
}
