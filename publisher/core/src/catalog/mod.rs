//! The books as people ask about them, and what people may ask for: the command line and the HTTP API go through this
//! one room, so that both say and do the same.
//!
//! It reads the ledger and puts together what it says ([`record`], [`datums`], [`logs`], [`broker_view`]); it opens the books of
//! new jobs ([`submit`], [`retry`]) and passes on that one is to stop ([`stop`]). How any of it is shown is not its
//! business.

mod pipeline_order;

mod broker_view;
mod datums;
mod json;
mod log_lines;
mod logs;
mod record;

mod retry;
mod stop;
mod stored_work;
mod submit;

pub use broker_view::{BrokerView, broker_view};
pub use datums::{JobDatum, datum_rows};
pub use json::{DatumJson, LogLineJson, PlannedJson};
pub use log_lines::{LogLine, LogLines};
pub use logs::{LogError, Origin, attempt, each_line, logs_of, open_log};
pub use pipeline_order::{OrderError, order, reads, with_registered};
pub use record::{failures, record, running_before};
pub use retry::{GroupError, RetryError, retry};
pub use stop::broadcast_stop;
pub use stored_work::{
    DamagedOutput, PlanHistory, PlanReason, RedoError, RedoFilter, Verification, redo, verify,
};
pub use submit::{SubmitError, hint, submit};
