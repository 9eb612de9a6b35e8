//! The command line: expands inputs, coordinates jobs.
//!
//! From the outside in: [`args`] is what is typed, [`commands`] what is done about it, [`render`] what is seen
//! of it and [`exit`] how it ends.

pub mod args;
pub mod commands;
pub mod exit;
pub mod render;

mod books;

pub mod coordinator;
pub mod expand;
pub mod http;
pub mod local;
pub mod publication;
pub mod standing;
pub mod steward;
