//! From a node to a value of the right shape: every field known, every type right.
//!
//! Walks the document along the schema and collects all errors. The result is the spec in
//! `snake_case` with lenient spellings corrected, ready to be deserialized.

mod scalar;
mod suggest;
mod walk;

pub(super) use walk::check;
