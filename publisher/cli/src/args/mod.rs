//! The command line as typed. Clap's definitions only, one file a group of commands; the texts of
//! `--help` stand beside the fields they explain. What is meant by them is `commands`' business.

mod cli;
mod cluster;
mod command;
mod inspect;
mod limits;
mod parse;
mod pipelines;
mod run;
mod spec;
mod tokens;
mod values;

pub use cli::{Cli, Command, Common};
pub use cluster::{Probe, Publish, Serve};
pub use command::OneLiner;
pub use inspect::{Datums, Explain, Job, Jobs, Logs, Stop, Wait};
pub use limits::Rows;
pub use parse::{is_help, parse, wanted_json};
pub use pipelines::{
    Create, Delete, GraphFormat, Named, Pause, Pipelines, Resume, SpecFiles, Update,
};
pub use run::{Engine, Retry, Run};
pub use spec::{Completions, Manifest, Plan, Sources, Validate};
pub use tokens::{Tokens, tokens};
pub use values::{DatumChoice, Format, Http, InputOverride};

#[cfg(test)]
mod tests;
