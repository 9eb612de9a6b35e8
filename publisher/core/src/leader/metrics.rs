//! Metrics of leaders. The names are a contract (`docs/operations.md`).
//!
//! Labels have few values, never a job's id. Without a recorder the functions do nothing.

use std::time::Duration;

use drover_shared::job::{JobRecord, JobState};
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Jobs that the current process coordinated to their end, by `state`: success, failure, killed.
const JOBS: &str = "drover_jobs_total";
/// Datums of those jobs, by `state`: processed, skipped, failed, recovered.
const DATUMS: &str = "drover_job_datums_total";
/// Jobs that the current process coordinates.
const COORDINATED: &str = "drover_jobs_coordinated";
/// Time from a job's beginning to its end.
const SECONDS: &str = "drover_job_seconds";
/// Leaderships that the current process began.
const LEADERSHIPS: &str = "drover_leaderships_total";
/// 1 while the connection to the broker is up, else 0.
const QUEUE_LINK: &str = "drover_queue_link";

/// Upper bounds of the histogram, in seconds: from a job that skips everything to a job of days.
pub const BUCKETS_S: [f64; 8] = [
    1.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0,
];

/// Describes the metrics to the recorder.
pub fn describe() {
    describe_counter!(
        JOBS,
        "jobs that this process coordinated to their end, by state"
    );
    describe_counter!(DATUMS, "datums of those jobs, by state");
    describe_gauge!(COORDINATED, "jobs that this process coordinates");
    describe_histogram!(SECONDS, Unit::Seconds, "from a job's beginning to its end");
    describe_counter!(LEADERSHIPS, "leaderships that this process began");
    describe_gauge!(QUEUE_LINK, "whether the connection to the broker is there");
}

pub(super) fn leadership_began() {
    counter!(LEADERSHIPS).increment(1);
}

/// Counts a job as coordinated by the current process until dropped.
pub(super) struct CoordinatedGauge;

impl CoordinatedGauge {
    pub(super) fn begin() -> Self {
        gauge!(COORDINATED).increment(1.0);
        Self
    }
}

impl Drop for CoordinatedGauge {
    fn drop(&mut self) {
        gauge!(COORDINATED).decrement(1.0);
    }
}

pub(super) fn ended(record: &JobRecord) {
    let state = match record.state {
        JobState::Success => "success",
        JobState::Failure => "failure",
        _ => "killed",
    };
    counter!(JOBS, "state" => state).increment(1);
    let datums = &record.datums;
    for (state, count) in [
        ("processed", datums.processed),
        ("skipped", datums.skipped),
        ("failed", datums.failed),
        ("recovered", datums.recovered),
    ] {
        counter!(DATUMS, "state" => state).increment(count);
    }
    if let (Some(started), Some(finished)) = (record.started, record.finished)
        && let Ok(time) = Duration::try_from(finished.duration_since(started))
    {
        histogram!(SECONDS).record(time);
    }
}

/// Records whether the connection to the broker is up.
pub fn queue_link(is_up: bool) {
    gauge!(QUEUE_LINK).set(if is_up { 1.0 } else { 0.0 });
}
