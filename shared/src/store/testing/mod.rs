//! Test support: the conformance suite that every store passes.

pub mod suite;
