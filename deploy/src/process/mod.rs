//! The operator as a process: its arguments, its configuration, its start and its end.

mod args;
mod config;
mod run;

pub use args::{Args, LogFormat, OperatorSubcommand, PullPolicy, WorkerArgs};
pub use config::OperatorConfig;
pub use run::{OperatorFailure, run};
