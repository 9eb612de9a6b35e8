//! The promises of the whole, by real processes on real files: what a user of `drover run` relies on.
//!
//! One module a promise, one test a sentence. All run beside each other, as root and as an ordinary user.

mod batching;
mod chains;
mod cli;
mod commands;
mod crash;
mod damage;
mod early_end;
mod edits;
mod errors;
mod examples;
mod file_systems;
mod growing_logs;
mod lists;
mod memory;
mod monitoring;
mod notifications;
mod one_liner;
mod output;
mod put;
mod python;
mod registered;
mod retention;
mod rsync;
mod sandbox;
mod sharing;
mod signals;
mod skip;
mod traces;
mod users;
