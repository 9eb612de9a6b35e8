//! The command line: parses arguments, carries out commands, renders results.
//!
//! From the outside in: [`args`] is what is typed, [`commands`] what is done about it, [`render`] what is seen
//! of it and [`exit`] how it ends.

pub mod args;
pub mod commands;
pub mod exit;
pub mod render;
