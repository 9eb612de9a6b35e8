//! How far a task is believed.
//!
//! A task with the authentication code of the job's key comes from a leader of the job, and is believed. A task without a code
//! comes from an older Drover, or from a stranger at the broker: only the indexes of the datums count. The datums are read
//! from the manifest, their sets from the records of the job, and verdicts are looked up first. So a stranger makes a worker do no more than the job demands. A task
//! with a wrong code is refused.

use drover_shared::datum::{CommitUnit, Datum, IndexRanges};
use drover_shared::job::JobKey;
use drover_shared::wire::{Authenticity, ManifestRange, Task, TaskDatums, Trace, authenticity};

/// Reason for the rejection of a task with a wrong code.
pub(super) const FORGED: &str =
    "the authentication code of the task is wrong: the sender does not have the key of the job";

/// The believed part of a task.
#[derive(Debug, PartialEq)]
pub(super) struct TrustedTask {
    pub(super) datums: TrustedDatums,
    /// How the datums are committed; none if the records of the job must tell.
    pub(super) unit: Option<CommitUnit>,
    pub(super) total: Option<u64>,
    pub(super) again: bool,
    pub(super) copy: bool,
    pub(super) term: Option<u64>,
    pub(super) trace: Option<Trace>,
}

/// The datums of a task.
#[derive(Debug, PartialEq)]
pub(super) enum TrustedDatums {
    /// From a leader of the job.
    Sent(Vec<Datum>),
    /// In a segment of the manifest.
    InSegment(ManifestRange),
    /// In any segments of the manifest.
    InManifest(IndexRanges),
}

/// The believed part of the task decoded from `body`; none if the code is wrong.
pub(super) fn trusted(task: Task, body: &[u8], key: Option<&JobKey>) -> Option<TrustedTask> {
    match authenticity(body, key) {
        Authenticity::Authentic => Some(as_sent(task)),
        Authenticity::Unsigned => Some(as_hint(&task.datums)),
        Authenticity::Forged => None,
    }
}

fn as_sent(task: Task) -> TrustedTask {
    TrustedTask {
        datums: match task.datums {
            TaskDatums::Inline(datums) => TrustedDatums::Sent(datums),
            TaskDatums::Manifest(range) => TrustedDatums::InSegment(range),
        },
        unit: task.unit,
        total: task.total,
        again: task.again,
        copy: task.copy,
        term: task.term,
        trace: task.trace,
    }
}

fn as_hint(datums: &TaskDatums) -> TrustedTask {
    TrustedTask {
        datums: match datums {
            TaskDatums::Inline(_) => TrustedDatums::InManifest(datums.indexes()),
            TaskDatums::Manifest(range) => TrustedDatums::InSegment(*range),
        },
        unit: None,
        total: None,
        again: true,
        copy: false,
        term: None,
        trace: None,
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::id::JobId;
    use drover_shared::wire::{Message, encode_for};

    use super::*;

    #[test]
    fn only_the_indexes_of_a_task_without_the_job_s_key_count() {
        let range = ManifestRange {
            segment: 0,
            first: 3,
            count: 2,
        };
        let sent = Task {
            job: JobId::generate(),
            datums: TaskDatums::Manifest(range),
            unit: Some(CommitUnit::Set(3)),
            total: Some(9),
            again: false,
            copy: false,
            store: None,
            term: Some(u64::MAX),
            trace: None,
        };
        let (key, other) = (JobKey::generate().unwrap(), JobKey::generate().unwrap());
        let read = |signed_with: Option<&JobKey>, key| {
            let body = encode_for(&Message::Task(sent.clone()), signed_with).unwrap();
            trusted(sent.clone(), &body, key)
        };
        let believed = |unit, total, again, term| TrustedTask {
            datums: TrustedDatums::InSegment(range),
            unit,
            total,
            again,
            copy: false,
            term,
            trace: None,
        };
        let authentic = believed(Some(CommitUnit::Set(3)), Some(9), false, Some(u64::MAX));
        assert_eq!(read(Some(&key), Some(&key)), Some(authentic));
        assert_eq!(read(Some(&other), Some(&key)), None);
        assert_eq!(
            read(None, Some(&key)),
            Some(believed(None, None, true, None))
        );
        assert_eq!(
            read(Some(&key), None),
            Some(believed(None, None, true, None))
        );
    }
}
