//! Every key below `.drover` is made here, and nowhere else.
//!
//! ```text
//! <store>/<repo>/…                                 inputs
//! <store>/<pipeline>/…                             outputs
//! <store>/.drover/pipelines/<name>/done            index of all work that ever succeeded (binary, sorted)
//! <store>/.drover/pipelines/<name>/published       what lies in the output folder, and where it came from
//! <store>/.drover/pipelines/<name>/unfolded/<job>  jobs whose successes are not in `done` yet
//! <store>/.drover/pipelines/<name>/lock            held while a job of the pipeline runs on this machine
//! <store>/.drover/cache/<…>                        content hashes of local files
//! <store>/.drover/scratch/<worker>/                working directories, gone when the worker is
//! <store>/.drover/jobs/<id>/record.json            the job record
//! <store>/.drover/jobs/<id>/spec.json              the spec it runs, normalised
//! <store>/.drover/jobs/<id>/stop                   somebody asked to stop it
//! <store>/.drover/jobs/<id>/manifest/<first>.jsonl datums, in segments named by their first index
//! <store>/.drover/jobs/<id>/results/<first>.jsonl  verdicts of a whole segment
//! <store>/.drover/jobs/<id>/commits/<index>.json   verdict of one datum, until its segment is sealed
//! <store>/.drover/jobs/<id>/marks/<index>/<n>      a worker was about to run a redelivered datum
//! <store>/.drover/jobs/<id>/logs/<index>/<claim>.<attempt>.log
//! <store>/.drover/jobs/<id>/staged/<claim>/<n>     output files, not yet seen by anybody
//! ```

use super::StoreKey;
use crate::id::JobId;

/// Output file `n` of the attempt that staged under `staged`.
pub fn staged_file(job: JobId, staged: &str, n: usize) -> StoreKey {
    todo!("{job} {staged} {n}")
}
