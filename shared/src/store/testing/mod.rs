//! Test support: the conformance suite that every store passes, and power cuts.

mod power_cut;
pub mod suite;
mod watcher;

pub use power_cut::{PowerCuts, Unforced};
pub use watcher::Watcher;
