//! Support for the tests of all packages.

mod fuzz;
pub mod samples;

pub use fuzz::{corpus, fuzz};
