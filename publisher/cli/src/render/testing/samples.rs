//! Records for tests.

use drover_shared::datum::{ContentTag, Datum, DatumInput, InputKind, StageStats};
use drover_shared::id::{DatumId, JobId};
use drover_shared::job::{Counts, JobRecord, JobState};
use jiff::Timestamp;

fn moment(text: &str) -> Timestamp {
    format!("2026-11-23T18:{text}Z").parse().unwrap()
}

/// Job `01j9zzzzzzzzzzzzzzzzzzzzzz` of `count`, two minutes old.
pub(crate) fn running() -> JobRecord {
    let id: JobId = "01j9zzzzzzzzzzzzzzzzzzzzzz".parse().unwrap();
    let mut record = JobRecord::new(id, "count".parse().unwrap(), moment("08:00"));
    record.state = JobState::Running;
    record.started = Some(moment("08:00.5"));
    record.datums = Counts {
        total: 5000,
        processed: 1200,
        skipped: 30,
        failed: 0,
        recovered: 2,
    };
    record.stats = StageStats {
        download_bytes: 1_234_567,
        upload_bytes: 820,
        process_time_s: 245.3,
        ..StageStats::default()
    };
    record.redelivered = 1;
    record
}

/// The same, all done.
pub(crate) fn succeeded() -> JobRecord {
    let mut record = running();
    record.state = JobState::Success;
    record.finished = Some(moment("09:30.5"));
    record.datums = Counts {
        total: 1232,
        processed: 1200,
        skipped: 30,
        failed: 0,
        recovered: 2,
    };
    record
}

/// The same, with failures.
pub(crate) fn failed() -> JobRecord {
    let mut record = succeeded();
    record.state = JobState::Failure;
    record.reason = Some(
        "5 of 1237 datums failed: exit 1: 'row #: no such column' (4), signal 9 (1)".to_owned(),
    );
    record.datums.failed = 5;
    record.datums.total += 5;
    record
}

/// A datum of a file and a directory with a key.
pub(crate) fn datum(index: u64) -> Datum {
    let input = |name: &str, path: &str, kind, size, join_on: Option<&str>| DatumInput {
        name: name.to_owned(),
        repo: name.to_owned(),
        path: path.to_owned(),
        kind,
        size,
        join_on: join_on.map(str::to_owned),
        group_by: None,
        tag: ContentTag::new("blake3:00"),
        leaf: 0,
        version: None,
    };
    Datum {
        index,
        id: DatumId::from_bytes([7; 16]),
        inputs: vec![
            input("photos", "/a\nb.jpg", InputKind::File, 1500, None),
            input("labels", "/a", InputKind::Dir, 12, Some("a")),
        ],
    }
}
