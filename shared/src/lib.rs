//! The nouns of Drover, agreed on by every process: ids, the pipeline spec, datums, jobs, the
//! messages between processes, the queue and the store.
//!
//! Modules in reading order; this crate knows neither workers nor publishers nor clusters.

pub mod id;

pub mod glob;
pub mod pipeline;

pub mod datum;
pub mod job;
pub mod prediction;

pub mod store;

pub mod ledger;

pub mod queue;
pub mod wire;

pub mod backoff;
pub mod causes;
pub mod histogram;
pub mod names;
pub mod process;
pub mod random;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tls;
pub mod trace_parent;
pub mod units;
