//! The promises of the runner, over real processes in real sandboxes.

mod bench;
mod commands;
mod slot;
