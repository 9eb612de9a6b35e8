//! Queries and requests that the command line and the HTTP API share, so both say and do the same.
//!
//! Queries read the ledger and the broker ([`record`], [`datums`], [`logs`], [`broker_view`]). Requests submit jobs
//! ([`submit`], [`retry`]) and stop them ([`stop`]). Nothing here renders.

mod pipeline_order;

mod broker_view;
mod datums;
mod fleet;
mod idle_queues;
mod jobs;
mod json;
mod log_lines;
mod logs;
mod obstacle;
mod register;

mod retry;
mod stop;
mod stored_work;
mod submit;

pub use broker_view::{BrokerView, ClusterError, broker_view};
pub use datums::{JobDatum, datum_rows};
pub use fleet::{Fleet, FleetPipeline, FleetWorker, change_sharing, fleet, sharing_of};
pub use idle_queues::delete_idle_queues;
pub(crate) use jobs::jobs_by_pipeline;
pub use jobs::{failures, history, newest_job, record, running_before};
pub use json::{DatumJson, LogLineJson, PlannedJson};
pub use log_lines::{LogLine, LogLines};
pub use logs::{LogError, LogTail, Origin, attempt, each_line, logs_of, open_log};
pub use obstacle::obstacle;
pub use pipeline_order::{OrderError, order, reads};
pub use register::{RegisterError, Registration, register};
pub use retry::{GroupError, RetryError, retry};
pub use stop::{broadcast_close, broadcast_stop, end_stopped};
pub use stored_work::{
    DamagedOutput, PlanHistory, PlanReason, RedoError, RedoFilter, Verification, redo, redo_datums,
    verify,
};
pub use submit::{SubmitError, SubmitOptions, hint, submit};
