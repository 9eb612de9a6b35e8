//! Test support: jobs on a real folder and the embedded queue, and records as examples.

#[expect(missing_docs, reason = "the names of a test fixture say enough")]
pub mod fixture;
pub mod samples;
