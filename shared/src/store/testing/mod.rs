//! Test support: the conformance suite that every store passes, stores with scheduled calls, and power cuts.

mod power_cut;
pub mod scheduled;
pub mod suite;
mod watcher;

pub use power_cut::{PowerCuts, Unforced};
pub use watcher::Watcher;
