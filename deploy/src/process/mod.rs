//! The operator's process: arguments, configuration, start and end.

mod args;
mod config;
mod run;

pub use args::{Args, LogFormat, OperatorSubcommand, PullPolicy, WorkerArgs};
pub use config::OperatorConfig;
pub use run::run;
