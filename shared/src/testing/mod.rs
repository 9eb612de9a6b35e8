//! Support for the tests of all packages.

mod fuzz;

pub use fuzz::{corpus, fuzz};
