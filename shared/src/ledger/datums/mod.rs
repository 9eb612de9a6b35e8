//! Records of datums: manifest, attempts, verdicts.

mod attempts;
mod manifest;
mod segment;
mod verdicts;

pub use attempts::{LogFile, PastRuns};
pub use manifest::{ManifestEntry, Redo};
pub use segment::Segment;
pub use verdicts::Commit;
