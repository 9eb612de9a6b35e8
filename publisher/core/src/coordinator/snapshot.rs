//! A running job as shown to users.

use drover_shared::id::WorkerId;
use drover_shared::job::{FailureGroups, JobRecord};
use jiff::Timestamp;

use crate::output::FileProgress;

/// A job at one moment, for display.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The record, as it would be saved now.
    pub record: JobRecord,
    /// True while the job waits for the pipeline's lock.
    pub waiting_for_lock: bool,
    /// True if all datums are known, so the record's total is final.
    pub expanded: bool,
    /// Datums that wait for a worker, published or not.
    pub queued: u64,
    /// Number of running datums. Very short datums are counted by their time.
    pub running_count: u64,
    /// Running datums, oldest first, at most [`Snapshot::MOST_RUNNING`]. Very short attempts are left out.
    pub running: Vec<RunningDatum>,
    /// Datums finished per second over the last few seconds, without skipped datums.
    pub rate: f64,
    /// Failures so far, grouped by cause.
    pub failures: FailureGroups,
    /// Progress of the output folder while the job publishes or copies.
    pub files: Option<FileProgress>,
}

/// A datum being run by a worker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RunningDatum {
    /// Index in the job.
    pub index: u64,
    /// Number of the attempt, counted from 1.
    pub attempt: u32,
    /// Worker that runs the datum.
    pub worker: WorkerId,
    /// Start of the attempt.
    pub since: Timestamp,
}

impl Snapshot {
    /// Most running datums in a snapshot.
    pub const MOST_RUNNING: usize = 64;

    /// A job of which only the record is known.
    pub fn new(record: JobRecord) -> Self {
        Self {
            record,
            waiting_for_lock: false,
            expanded: false,
            queued: 0,
            running_count: 0,
            running: Vec::new(),
            rate: 0.0,
            failures: FailureGroups::default(),
            files: None,
        }
    }
}
