//! The pipeline spec, from text to a resolved pipeline.
//!
//! [`parse`] reads a text in these steps: a *document* (nodes with positions), *checked* along the
//! JSON Schema (every field known, every type right), *typed* (the spec as written), *resolved* (a
//! [`Pipeline`]: defaults filled in, names checked, globs compiled). All findings are collected on
//! the way and reported at once.

mod definition;
mod input;
mod limits;
mod notify;
mod retention;
mod schedule;
mod sharing;
mod transform;

mod findings;
mod parse;

mod document;
mod spec;

mod fields;
mod schema;

mod check;
mod collector;
mod resolve;

#[cfg(test)]
mod tests;

pub use definition::{
    FailureLimit, OutputConflict, Parallelism, Pipeline, Reprocess, ResourceRequests, SetRule,
    StragglerRule,
};
pub use findings::{Finding, Findings, Severity, count_findings, limit_notes};
pub use input::{CronInput, Input, PfsInput};
pub use limits::{InvalidRate, Limit, Period, RateLimit};
pub use notify::{Notification, NotifyEvent, Receiver};
pub use parse::{Parsed, from_value, parse};
pub use retention::{Retention, RetentionLimits};
pub use schedule::Schedule;
pub use schema::schema;
pub use sharing::{Priority, Sharing};
pub use transform::{GIVEN_PREFIX, Secret, Transform};
