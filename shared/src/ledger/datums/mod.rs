//! Records of datums: manifest, attempts, verdicts.

mod attempts;
mod live_logs;
mod manifest;
mod segment;
mod set_commits;
mod set_cuts;
mod unsealed;
mod verdicts;

pub use attempts::{LogFile, PastRuns};
pub use live_logs::LiveLog;
pub use manifest::{ManifestEntry, Redo};
pub use segment::Segment;
pub use set_commits::{SetLog, SetVerdict};
pub use set_cuts::SegmentSets;
pub use verdicts::Commit;
