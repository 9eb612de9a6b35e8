//! Rendering: pure functions from records to text, and the two output streams. Only `render` writes to standard
//! output.

mod jobs;
mod pipelines;
mod problems;
mod store;
mod terminal;

#[cfg(test)]
mod testing;

pub use jobs::cluster::ClusterView;
pub use jobs::detail::{SummaryContext, details, state, summary};
pub use jobs::explain::{ExplainedJob, explain};
pub use jobs::explain_datum::explain_datum;
pub use jobs::list::{DatumRow, datum, datums, jobs, plan, plan_total, planned, size};
pub use jobs::progress::follow;
pub use jobs::report::{JobReport, report};
pub use pipelines::explain::explain_pipeline;
pub use pipelines::list::pipelines;
pub use problems::error::{error, usage, usage_as_json};
pub use problems::findings::{SourceText, finding};
pub use store::collection::{collection_json, collections};
pub use store::fleet::{fleet, shared_by};
pub use store::limits::{limit_json, limits};
pub use store::usage::{usage_by_job, usage_by_pipeline, usage_json};
pub use store::verification::verification;
pub use terminal::console::{Console, LineWriter, OutputError};
pub(crate) use terminal::number::bytes;
pub use terminal::number::{count, counted};
pub use terminal::palette::Palette;
pub use terminal::table::Table;
pub(crate) use terminal::text::printable;
