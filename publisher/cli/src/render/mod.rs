//! What people and scripts get to see: pure functions from records to text, and the two streams that the
//! text goes to. Nothing else in Drover writes to standard output; no function here changes anything.

mod jobs;
mod pipelines;
mod problems;
mod terminal;

#[cfg(test)]
mod testing;

pub use jobs::cluster::Cluster;
pub use jobs::detail::{Surroundings, details, state, summary};
pub use jobs::explain::{Facts, explain};
pub use jobs::list::{DatumRow, datum, datums, jobs, plan, plan_total, planned, size};
pub use jobs::progress::follow;
pub use pipelines::explain::registered;
pub use pipelines::list::pipelines;
pub use problems::error::{error, usage_as_json};
pub use problems::findings::{SourceText, finding};
pub use terminal::console::{Console, Lines};
pub use terminal::number::{count, counted};
pub use terminal::palette::Palette;
pub use terminal::table::Table;
