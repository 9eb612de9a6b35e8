//! A pipeline as typed: a field for each documented field, none of them required here.
//!
//! The JSON Schema is generated from these types and the checker walks that schema, so types,
//! schema and checks cannot diverge. Rules across fields are in `resolve`.

mod cluster;
mod input;
mod notify;
mod pipeline;
mod transform;
mod values;

pub(super) use cluster::{Effect, Operator, Resources, Scheduling, Toleration};
pub(super) use input::{Cron, Input, Pfs};
pub(super) use notify::Notification;
pub(super) use pipeline::{Egress, Limit, Parallelism, Pipeline, Reprocess, Retention};
pub(super) use transform::{Secret, Transform};
pub(super) use values::{Duration, FailureLimit, Quantity};
