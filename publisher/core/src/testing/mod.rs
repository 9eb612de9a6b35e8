//! Test support: jobs on a real folder and the embedded queue, and records as examples.

#[expect(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::struct_excessive_bools,
    clippy::unwrap_used,
    reason = "a fixture fails a test by panicking, and its names say enough"
)]
pub mod fixture;
pub mod samples;
#[cfg(test)]
pub(crate) mod scheduled_broker;
#[expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a setting that is no number fails its test"
)]
pub mod schedules;
