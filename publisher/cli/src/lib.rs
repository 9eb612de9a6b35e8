//! The command line: parses arguments, executes commands, renders results.
//!
//! [`args`] defines the arguments, [`commands`] executes them, [`render`] formats the results, and [`exit`] defines
//! the exit codes.

pub mod args;
pub mod commands;
pub mod exit;
pub mod render;
