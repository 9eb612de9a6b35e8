//! Execute: runs the user's command in a slot until an attempt succeeds or `datum_tries` is used up.
//!
//! [`datum_run`] waits for the slot, [`attempts`] decides whether another attempt follows, [`attempt`] is one of them,
//! [`command`] runs the command with its log, and [`judge`] tells success from failure.

mod attempt;
mod attempts;
mod command;
mod datum_run;
mod environment;
mod judge;
mod live_log;
mod order;
mod overtaken;
mod placeholders;
mod running_report;
mod scratch_check;

pub(super) use datum_run::{DatumOutcome, ExecutedDatum, execute};
