//! What people and scripts get to see: pure functions from records to text, and the two streams that the
//! text goes to. Nothing else in Drover writes to standard output; no function here changes anything.

mod console;
mod palette;
mod table;

mod number;
mod text;

mod cluster;
mod error;
mod explain;
mod findings;
mod job;
mod list;
mod pipelines;
mod progress;
mod standing;

#[cfg(test)]
mod samples;

pub use cluster::Cluster;
pub use console::{Console, Lines};
pub use error::{error, usage_as_json};
pub use explain::{Facts, explain};
pub use findings::{SourceText, finding};
pub use job::{Surroundings, details, state, summary};
pub use list::{DatumRow, datum, datums, jobs, plan, plan_total, planned, size};
pub use number::{count, counted};
pub use palette::Palette;
pub use pipelines::pipelines;
pub use progress::follow;
pub use standing::standing;
pub use table::Table;
