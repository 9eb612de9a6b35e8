//! Kinds of files below `.drover`, and their owners.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use drover_shared::id::{JobId, PipelineName};
use serde::Serialize;

/// The kind of a file below `.drover`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// Staged outputs. In a folder their blocks are often shared with the output folder.
    Outputs,
    /// Logs of attempts.
    Logs,
    /// Manifests of jobs.
    Manifests,
    /// Verdicts of datums.
    Verdicts,
    /// Records of jobs and pipelines, and other small files.
    Records,
    /// Done indexes.
    DoneIndex,
    /// Remembered hashes of inputs.
    HashCache,
    /// Unfinished files, and files for recycling.
    Temporary,
}

/// Number of files, and their size.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Space {
    /// Number of files.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

impl AddAssign for Space {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

/// Space by kind.
pub(super) type SpaceByKind = BTreeMap<FileKind, Space>;

/// The owner of a file below `.drover`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum FileOwner {
    Store,
    Pipeline(PipelineName),
    Job(JobId),
}

/// Pure: owner and kind of the file at `path` below `.drover`; the path begins with `/`.
pub(super) fn owner_and_kind(path: &str) -> (FileOwner, FileKind) {
    let (top, rest) = split(path.trim_start_matches('/'));
    let (name, file) = split(rest);
    match top {
        "jobs" => match name.parse() {
            Ok(job) => (FileOwner::Job(job), kind_in_job(file)),
            Err(_) => (FileOwner::Store, FileKind::Records),
        },
        "pipelines" => match name.parse() {
            Ok(pipeline) => (FileOwner::Pipeline(pipeline), kind_in_pipeline(file)),
            Err(_) => (FileOwner::Store, FileKind::Records),
        },
        "cache" => (FileOwner::Store, FileKind::HashCache),
        "tmp" | "spare" | "scratch" => (FileOwner::Store, FileKind::Temporary),
        _ => (FileOwner::Store, FileKind::Records),
    }
}

/// Pure: the kind of a file of a job; `path` is relative to the job's folder.
pub(super) fn kind_in_job(path: &str) -> FileKind {
    match split(path).0 {
        "staged" => FileKind::Outputs,
        "logs" | "live" => FileKind::Logs,
        "manifest" | "expanded" => FileKind::Manifests,
        "results" | "commits" => FileKind::Verdicts,
        _ => FileKind::Records,
    }
}

fn kind_in_pipeline(path: &str) -> FileKind {
    match path {
        "done" => FileKind::DoneIndex,
        _ => FileKind::Records,
    }
}

fn split(path: &str) -> (&str, &str) {
    path.split_once('/').unwrap_or((path, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use drover_shared::store::{StoreKey, layout};

    #[test]
    fn every_file_has_an_owner_and_a_kind() {
        let job = JobId::generate();
        let name: PipelineName = "thumbs".parse().unwrap();
        let of_job = FileOwner::Job(job);
        let of_pipeline = FileOwner::Pipeline(name.clone());
        #[rustfmt::skip]
        let rows = [
            (layout::staged_file(job, "claim", 3), of_job.clone(), FileKind::Outputs),
            (layout::log(job, 4, "claim.1.log"), of_job.clone(), FileKind::Logs),
            (layout::manifest(job, 0), of_job.clone(), FileKind::Manifests),
            (layout::expanded(job), of_job.clone(), FileKind::Manifests),
            (layout::result(job, "0-4"), of_job.clone(), FileKind::Verdicts),
            (layout::commit(job, 7), of_job.clone(), FileKind::Verdicts),
            (layout::record(job), of_job.clone(), FileKind::Records),
            (layout::mark(job, 1, 1), of_job, FileKind::Records),
            (layout::done(&name), of_pipeline.clone(), FileKind::DoneIndex),
            (layout::published(&name), of_pipeline, FileKind::Records),
            (layout::cache().join("in").unwrap(), FileOwner::Store, FileKind::HashCache),
            (layout::recycled().join("x").unwrap(), FileOwner::Store, FileKind::Temporary),
            (layout::expired_job(&name, job), FileOwner::Store, FileKind::Records),
            (layout::jobs().join("stray").unwrap(), FileOwner::Store, FileKind::Records),
        ];
        for (key, owner, kind) in rows {
            assert_eq!(owner_and_kind(below(&key)), (owner, kind), "{key}");
        }
    }

    fn below(key: &StoreKey) -> &str {
        key.as_str().strip_prefix(layout::DROVER_FOLDER).unwrap()
    }
}
