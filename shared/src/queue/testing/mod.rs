//! Test support: the behaviour suite that every broker passes.

pub mod suite;
