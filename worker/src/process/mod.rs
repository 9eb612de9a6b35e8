//! The worker as a process of its own, `drover-worker`. The command line becomes a [request], which the [service] runs;
//! or the process was started for a [subcommand].

pub mod args;
mod connect;
pub mod exit;
pub mod hardening;
mod health;
pub mod init;
mod own_store;
pub mod request;
pub mod service;
pub mod subcommand;
mod unknown_pipeline;
