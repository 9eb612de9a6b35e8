//! All keys below `.drover` are made in the present file alone.
//!
//! ```text
//! <store>/<repo>/…                                   inputs
//! <store>/<pipeline>/…                               outputs
//! <store>/.drover/store.json                         the identity of the store
//! <store>/.drover/locks/<n>                          held for the moment of a conditional put
//! <store>/.drover/tmp/<unique>                       files being written
//! <store>/.drover/spare/<unique>                     files of removed records, for recycling
//! <store>/.drover/scratch/<worker>/                  working directories of a running worker
//! <store>/.drover/cache/<folder>                     content hashes of local files
//! <store>/.drover/pipelines/<name>/done              index of all successful work (binary, sorted)
//! <store>/.drover/pipelines/<name>/published         origins of the files in the output folder
//! <store>/.drover/pipelines/<name>/undo/log          changes of a publication of an active job
//! <store>/.drover/pipelines/<name>/undo/<n>          former content of a changed file
//! <store>/.drover/pipelines/<name>/unfolded/<job>    jobs whose successes are not in `done` yet
//! <store>/.drover/pipelines/<name>/jobs/<job>        the jobs with a record
//! <store>/.drover/pipelines/<name>/sweep/<job>       jobs with files to be removed
//! <store>/.drover/pipelines/<name>/lock              held while a job of the pipeline runs on the local machine
//! <store>/.drover/pipelines/<name>/epochs/<n>        the coordinators; the highest epoch counts
//! <store>/.drover/pipelines/<name>/outputs/<n>.json   the job of the n-th publication; the highest counts
//! <store>/.drover/pipelines/<name>/parked/<unique>.json  dead letters, with the reason
//! <store>/.drover/pipelines/<name>/standing/<n>.json     the registered pipeline; the highest revision counts
//! <store>/.drover/pipelines/<name>/covered           input fingerprint of the newest job of the registered pipeline
//! <store>/.drover/retention.json                     default retention of the pipelines
//! <store>/.drover/jobs-noted                         every job is noted with the pipeline
//! <store>/.drover/limits/<name>.json                 a shared limit, and the parts of the pipelines
//! <store>/.drover/expired/<job>.<pipeline>           removed jobs whose outputs are still in use
//! <store>/.drover/idle-queues/<pipeline>.json         queues for a service to delete at the broker
//! <store>/.drover/notices/<hash>                     a printed warning
//! <store>/.drover/notify/<job>.json                  events of the job, to be sent
//! <store>/.drover/notify/pipelines/<name>.json       the standstill of a pipeline without a job
//! <store>/.drover/audit/<unique>.json                an action through the HTTP API
//! <store>/.drover/keys/<hash>.json                   the jobs of a submission with an idempotency key
//! <store>/.drover/jobs/<id>/record.json              the job record
//! <store>/.drover/jobs/<id>/spec.json                the spec of the job, normalised
//! <store>/.drover/jobs/<id>/key                      authenticates messages about the job; private
//! <store>/.drover/jobs/<id>/submission.json          for a submitted job: instructions for its coordinator
//! <store>/.drover/jobs/<id>/code.json                the code files of the job, if any
//! <store>/.drover/jobs/<id>/synced                   the outputs of the job were forced to the disk
//! <store>/.drover/jobs/<id>/workers/<worker>.json    protection against commands on a worker
//! <store>/.drover/jobs/<id>/stop                     a stop of the job was requested
//! <store>/.drover/jobs/<id>/manifest/<first>.jsonl   datums of a segment, or the end of the manifest
//! <store>/.drover/jobs/<id>/failures.json            failures of the job, grouped by cause
//! <store>/.drover/jobs/<id>/results/<segment>.jsonl  verdicts of a segment `<first index>-<count>`
//! <store>/.drover/jobs/<id>/sets/<first>.json        sets of the segment with the first index
//! <store>/.drover/jobs/<id>/commits/<shard>/<index>.json  verdict of a datum, until the segment is sealed
//! <store>/.drover/jobs/<id>/commits/<shard>/<first>.<n>.jsonl  `n`th commit of a set, until the segment is sealed
//! <store>/.drover/jobs/<id>/marks/<index>.<n>        mark of an attempt at a redelivered datum
//! <store>/.drover/jobs/<id>/logs/<shard>/<index>.<name>   output of an attempt
//! <store>/.drover/jobs/<id>/live/<index>.<name>      the end of the growing log of a running attempt
//! <store>/.drover/jobs/<id>/followed                 renewed while the logs are followed
//! <store>/.drover/jobs/<id>/logs-removed             the logs removed because of age
//! <store>/.drover/jobs/<id>/staged/<claim>.<n>       output files before the publication
//! ```
//!
//! Indexes are padded with zeros, so names sort like numbers. A shard holds [`SHARD`] consecutive
//! indexes: directories stay small, and creating a directory is paid once for many datums.

use std::fmt::Display;

use super::StoreKey;
use crate::id::{IdempotencyKey, JobId, LimitName, PipelineName, WorkerId};

/// Drover's own folder in the store.
pub const DROVER_FOLDER: &str = ".drover";

/// How many consecutive indexes share a directory.
pub const SHARD: u64 = 4096;

/// Everything of ours.
pub fn drover_folder() -> StoreKey {
    StoreKey::root().with(DROVER_FOLDER)
}

/// The identity of the store.
pub fn identity() -> StoreKey {
    drover_folder().with("store.json")
}

/// Files being written.
pub fn tmp() -> StoreKey {
    drover_folder().with("tmp")
}

/// An object of the process `who`, written and removed to find out if the store can be written.
pub fn readiness_probe(who: &str) -> StoreKey {
    tmp().with(&format!("ready-{who}"))
}

/// Files of removed records, for recycling.
pub fn recycled() -> StoreKey {
    drover_folder().with("spare")
}

/// Capacities of the workers of a broker.
pub fn capacities() -> StoreKey {
    drover_folder().with("workers")
}

/// The capacity of a worker.
pub fn capacity(worker: &WorkerId) -> StoreKey {
    capacities().with(&format!("{worker}.json"))
}

/// Lock file for conditional puts; several keys share a file.
pub fn put_lock(n: u8) -> StoreKey {
    drover_folder().with(&format!("locks/{n}"))
}

/// Working directories of workers on the local machine.
pub fn scratch() -> StoreKey {
    drover_folder().with("scratch")
}

/// Content hashes of local files.
pub fn cache() -> StoreKey {
    drover_folder().with("cache")
}

/// The records of a pipeline.
pub fn pipeline(name: &PipelineName) -> StoreKey {
    drover_folder().with(&format!("pipelines/{name}"))
}

/// The done index of a pipeline.
pub fn done(name: &PipelineName) -> StoreKey {
    pipeline(name).with("done")
}

/// Needs of the datums of a pipeline, for predictions.
pub fn usage(name: &PipelineName) -> StoreKey {
    pipeline(name).with("usage.json")
}

/// Origins of the files in the output folder.
pub fn published(name: &PipelineName) -> StoreKey {
    pipeline(name).with("published")
}

/// Undo log and backups of a publication whose job has not ended.
pub fn undo(name: &PipelineName) -> StoreKey {
    pipeline(name).with("undo")
}

/// The undo log of a publication.
pub fn undo_log(name: &PipelineName) -> StoreKey {
    undo(name).with("log")
}

/// The `n`th backup of a publication.
pub fn backup(name: &PipelineName, n: u64) -> StoreKey {
    undo(name).with(&n.to_string())
}

/// Marks of jobs whose successes are not in the done index yet.
pub fn unfolded_jobs(name: &PipelineName) -> StoreKey {
    pipeline(name).with("unfolded")
}

/// Mark of a job whose successes are not in the done index yet.
pub fn unfolded(name: &PipelineName, job: JobId) -> StoreKey {
    unfolded_jobs(name).with(&job.to_string())
}

/// The jobs of a pipeline that have a record.
pub fn pipeline_jobs(name: &PipelineName) -> StoreKey {
    pipeline(name).with("jobs")
}

/// Mark of a job of a pipeline.
pub fn pipeline_job(name: &PipelineName, job: JobId) -> StoreKey {
    pipeline_jobs(name).with(&job.to_string())
}

/// Mark of a store in which all jobs are noted by pipeline.
pub fn jobs_noted() -> StoreKey {
    drover_folder().with("jobs-noted")
}

/// Jobs of a pipeline with files to be removed.
pub fn sweeps(name: &PipelineName) -> StoreKey {
    pipeline(name).with("sweep")
}

/// Mark of a job with files to be removed.
pub fn sweep(name: &PipelineName, job: JobId) -> StoreKey {
    sweeps(name).with(&job.to_string())
}

/// The default retention of the pipelines.
pub fn retention() -> StoreKey {
    drover_folder().with("retention.json")
}

/// The limits that pipelines share.
pub fn shared_limits() -> StoreKey {
    drover_folder().with("limits")
}

/// A limit that pipelines share.
pub fn shared_limit(name: &LimitName) -> StoreKey {
    shared_limits().with(&format!("{name}.json"))
}

/// Priority and share of a pipeline, as changed since the spec.
pub fn changed_sharing(pipeline: &PipelineName) -> StoreKey {
    drover_folder()
        .with("sharing")
        .with(&format!("{pipeline}.json"))
}

/// Removed jobs with outputs in use, of all pipelines.
pub fn expired_jobs() -> StoreKey {
    drover_folder().with("expired")
}

/// Mark of a removed job.
pub fn expired_job(name: &PipelineName, job: JobId) -> StoreKey {
    expired_jobs().with(&format!("{job}.{name}"))
}

/// Held while a job of the pipeline runs.
pub fn lock(name: &PipelineName) -> StoreKey {
    pipeline(name).with("lock")
}

/// Held while a process changes the output folder of the pipeline.
pub fn output_lock(name: &PipelineName) -> StoreKey {
    pipeline(name).with("output-lock")
}

/// Marks of publications under way in a bucket.
pub fn publications(name: &PipelineName) -> StoreKey {
    pipeline(name).with("publications")
}

/// Mark of a publication under way.
pub fn publication(name: &PipelineName, unique: &str) -> StoreKey {
    publications(name).with(unique)
}

/// Which job is published to the output folder of the pipeline, by number.
pub fn output_publications(name: &PipelineName) -> StoreKey {
    pipeline(name).with("outputs")
}

/// The job of the `n`th publication.
pub fn output_publication(name: &PipelineName, n: u64) -> StoreKey {
    output_publications(name).with(&format!("{n:020}.json"))
}

/// The coordinators of a pipeline.
pub fn epochs(name: &PipelineName) -> StoreKey {
    pipeline(name).with("epochs")
}

/// The `n`th coordinator of a pipeline.
pub fn epoch(name: &PipelineName, n: u64) -> StoreKey {
    epochs(name).with(&format!("{n:020}"))
}

/// Dead letters of a pipeline.
pub fn dead_letters(name: &PipelineName) -> StoreKey {
    pipeline(name).with("parked")
}

/// A dead letter.
pub fn dead_letter(name: &PipelineName, unique: &str) -> StoreKey {
    dead_letters(name).with(&format!("{unique}.json"))
}

/// The revisions of a registered pipeline.
pub fn revisions(name: &PipelineName) -> StoreKey {
    pipeline(name).with("standing")
}

/// A revision of a registered pipeline.
pub fn registration(name: &PipelineName, revision: u64) -> StoreKey {
    revisions(name).with(&format!("{revision:020}.json"))
}

/// Input fingerprint of the newest job of a registered pipeline.
pub fn started_for(name: &PipelineName) -> StoreKey {
    pipeline(name).with("covered")
}

/// The records of all pipelines.
pub fn pipelines() -> StoreKey {
    drover_folder().with("pipelines")
}

/// The output folder of a pipeline.
pub fn output(name: &PipelineName) -> StoreKey {
    StoreKey::root().with(name.as_str())
}

/// The jobs of a submission with a key.
pub fn submission_key(key: &IdempotencyKey) -> StoreKey {
    drover_folder().with(&format!("keys/{}.json", hash_of(key.as_str())))
}

/// Notes about queues that may be idle.
pub fn idle_queues() -> StoreKey {
    drover_folder().with("idle-queues")
}

/// The note about the queues of one pipeline.
pub fn idle_queues_of(name: &PipelineName) -> StoreKey {
    idle_queues().with(&format!("{name}.json"))
}

/// Mark of a warning that was printed.
pub fn notice(text: &str) -> StoreKey {
    drover_folder().with(&format!("notices/{}", hash_of(text)))
}

fn hash_of(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}

/// Jobs with events that are to be sent.
pub fn deliveries() -> StoreKey {
    drover_folder().with("notify")
}

/// Deliveries of the events of a job.
pub fn deliveries_of(job: JobId) -> StoreKey {
    deliveries().with(&format!("{job}.json"))
}

/// Deliveries of the events of pipelines without a job.
pub fn pipeline_deliveries() -> StoreKey {
    deliveries().with("pipelines")
}

/// Deliveries of the events of one pipeline without a job.
pub fn deliveries_of_pipeline(pipeline: &PipelineName) -> StoreKey {
    pipeline_deliveries().with(&format!("{pipeline}.json"))
}

/// The audit log of the HTTP API.
pub fn audit() -> StoreKey {
    drover_folder().with("audit")
}

/// An action in the audit log.
pub fn audit_entry(unique: &str) -> StoreKey {
    audit().with(&format!("{unique}.json"))
}

/// All jobs.
pub fn jobs() -> StoreKey {
    drover_folder().with("jobs")
}

/// The records of a job.
pub fn job(job: JobId) -> StoreKey {
    jobs().with(&job.to_string())
}

/// The job record.
pub fn record(id: JobId) -> StoreKey {
    job(id).with("record.json")
}

/// The normalised spec of a job.
pub fn spec(id: JobId) -> StoreKey {
    job(id).with("spec.json")
}

/// The key that authenticates messages about a job.
pub fn job_key(id: JobId) -> StoreKey {
    job(id).with("key")
}

/// Instructions for the coordinator of a submitted job.
pub fn submission(id: JobId) -> StoreKey {
    job(id).with("submission.json")
}

/// The running time of a job so far, for the time limit.
pub fn elapsed(id: JobId) -> StoreKey {
    job(id).with("elapsed")
}

/// The code files of a job.
pub fn code(id: JobId) -> StoreKey {
    job(id).with("code.json")
}

/// Mark of a job whose outputs were forced to the disk.
pub fn synced(id: JobId) -> StoreKey {
    job(id).with("synced")
}

/// Protection against commands on the workers of a job.
pub fn protections(id: JobId) -> StoreKey {
    job(id).with("workers")
}

/// Protection against commands on a worker.
pub fn protection(id: JobId, worker: &WorkerId) -> StoreKey {
    protections(id).with(&format!("{worker}.json"))
}

/// Mark of a requested stop.
pub fn stop(id: JobId) -> StoreKey {
    job(id).with("stop")
}

/// Mark of a complete manifest, by an older Drover.
pub fn expanded(id: JobId) -> StoreKey {
    job(id).with("expanded")
}

/// Failures of a job, grouped by cause.
pub fn failures(id: JobId) -> StoreKey {
    job(id).with("failures.json")
}

/// The segments of the manifest.
pub fn manifests(id: JobId) -> StoreKey {
    job(id).with("manifest")
}

/// The segment of the manifest that begins at index `first`, or the end of the manifest.
pub fn manifest(id: JobId, first: u64) -> StoreKey {
    manifests(id).with(&format!("{first:020}.jsonl"))
}

/// A segment of the manifest by an older Drover, `<first>-<count>`.
pub fn old_manifest(id: JobId, segment: &str) -> StoreKey {
    manifests(id).with(&format!("{segment}.jsonl"))
}

/// The sealed segments.
pub fn results(id: JobId) -> StoreKey {
    job(id).with("results")
}

/// The verdicts of a segment.
pub fn result(id: JobId, segment: &str) -> StoreKey {
    results(id).with(&format!("{segment}.jsonl"))
}

/// The commit records of a shard.
pub fn commit_shard(id: JobId, shard: u64) -> StoreKey {
    job(id).with(&format!("commits/{shard:017}"))
}

/// The commit record of a datum.
pub fn commit(id: JobId, index: u64) -> StoreKey {
    commit_shard(id, index / SHARD).with(&format!("{index:020}.json"))
}

/// The `n`th commit of the set whose first datum has the index `first`.
pub fn set_commit(id: JobId, first: u64, n: u32) -> StoreKey {
    commit_shard(id, first / SHARD).with(&format!("{first:020}.{n:06}.jsonl"))
}

/// The records of the sets of a job.
pub fn set_cuts(id: JobId) -> StoreKey {
    job(id).with("sets")
}

/// The sets of the segment that begins at index `first`.
pub fn set_cut(id: JobId, first: u64) -> StoreKey {
    set_cuts(id).with(&format!("{first:020}.json"))
}

/// The attempt marks of a job.
pub fn marks(id: JobId) -> StoreKey {
    job(id).with("marks")
}

/// The attempt mark of a datum with the number or name.
pub fn mark(id: JobId, index: u64, name: impl Display) -> StoreKey {
    marks(id).with(&format!("{index:020}.{name}"))
}

/// The logs of a job, in shards.
pub fn log_shards(id: JobId) -> StoreKey {
    job(id).with("logs")
}

/// The logs of a shard.
pub fn log_shard(id: JobId, shard: u64) -> StoreKey {
    log_shards(id).with(&format!("{shard:017}"))
}

/// A log of a datum; `name` is a single segment.
pub fn log(id: JobId, index: u64, name: &str) -> StoreKey {
    log_shard(id, index / SHARD).with(&format!("{index:020}.{name}"))
}

/// Growing logs of running attempts.
pub fn live_logs(id: JobId) -> StoreKey {
    job(id).with("live")
}

/// The growing log of a datum; `name` is a single segment.
pub fn live_log(id: JobId, index: u64, name: &str) -> StoreKey {
    live_logs(id).with(&format!("{index:020}.{name}"))
}

/// Mark of a process following the logs of a job.
pub fn followed(id: JobId) -> StoreKey {
    job(id).with("followed")
}

/// Note about logs that were removed for age.
pub fn logs_removed(id: JobId) -> StoreKey {
    job(id).with("logs-removed")
}

/// The output files of the attempts of a job.
pub fn staged(id: JobId) -> StoreKey {
    job(id).with("staged")
}

/// Output file `n` of the attempt that staged under `staged`.
pub fn staged_file(id: JobId, staged: &str, n: usize) -> StoreKey {
    self::staged(id).with(&format!("{staged}.{n}"))
}
