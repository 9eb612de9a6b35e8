//! What people see of a job while it runs.

use drover_shared::id::WorkerId;
use drover_shared::job::{FailureGroups, JobRecord};
use jiff::Timestamp;

use crate::output::FileProgress;

/// A job at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The record, as it would be saved now.
    pub record: JobRecord,
    /// Whether the job waits for another one of its pipeline that runs on this machine.
    pub waiting_for_lock: bool,
    /// Whether all datums are known, so that the record's total is final.
    pub expanded: bool,
    /// Datums that wait for a worker, published or not.
    pub queued: u64,
    /// What runs, the oldest first; at most [`Snapshot::MOST_RUNNING`]. Attempts that are over in an instant
    /// are not shown.
    pub running: Vec<RunningDatum>,
    /// Datums ended a second, over the last few seconds; skipped ones don't count.
    pub rate: f64,
    /// Failures so far, grouped by cause.
    pub failures: FailureGroups,
    /// Files of the output folder that are settled, and how many there will be, while it is published or copied.
    pub files: Option<FileProgress>,
}

/// A datum that a worker is at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RunningDatum {
    /// Its place in the job.
    pub index: u64,
    /// Which attempt, counted from 1.
    pub attempt: u32,
    /// Who runs it.
    pub worker: WorkerId,
    /// Since when.
    pub since: Timestamp,
}

impl Snapshot {
    /// How many running datums are shown.
    pub const MOST_RUNNING: usize = 64;

    /// A job about which nothing is known but its record.
    pub fn new(record: JobRecord) -> Self {
        Self {
            record,
            waiting_for_lock: false,
            expanded: false,
            queued: 0,
            running: Vec::new(),
            rate: 0.0,
            failures: FailureGroups::default(),
            files: None,
        }
    }
}
