//! Definitions of the command line for clap, a file for each group of commands. The texts of `--help` are the doc
//! comments of the fields.

mod cli;
mod cluster;
mod command;
mod early_end;
mod hints;
mod inspect;
mod parse;
mod pipelines;
mod run;
mod sharing;
mod spec;
mod store;
mod values;

pub use cli::{Cli, Command, Common, DEFAULT_LOG};
pub use cluster::{Probe, Publish, Serve};
pub use command::OneLiner;
pub use early_end::{EarlyEnd, Trial};
pub use hints::{advice, without_guess};
pub use inspect::{Datums, Explain, Job, Jobs, Logs, Report, Stop, Wait};
pub use parse::{is_help, parse, typed_words, wants_json};
pub use pipelines::{
    Create, Delete, GraphFormat, Pause, PipelineArg, Pipelines, Resume, SpecFiles, Update,
};
pub use run::{Engine, Retry, Run};
pub use sharing::{Limits, Share};
pub use spec::{Completions, Import, Man, Manifest, PachydermFiles, Plan, Sources, Validate};
pub use store::{Du, Gc, Put, Redo, StoreRetention, Verify};
pub use values::{
    ApiTokens, DatumChoice, Format, Http, InputOverride, Rows, api_tokens, trace_parent,
};

#[cfg(test)]
mod tests;
