//! What a coordinator is asked to do.

use drover_shared::id::JobId;
use drover_shared::job::JobRecord;
use drover_shared::ledger::Scope;
use drover_shared::pipeline::Pipeline;
use jiff::Timestamp;
use serde_json::Value;

/// A job to be seen through, from its creation to its final record.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The pipeline as meant.
    pub pipeline: Pipeline,
    /// The same pipeline as typed and normalised; kept with the job, and what workers read.
    pub spec: Value,
    /// The record of the new job.
    pub record: JobRecord,
    /// Which datums make up the job.
    pub scope: Scope,
    /// Whether work that succeeded before is done again, whatever the spec says.
    pub reprocess: bool,
}

impl Assignment {
    /// A new job of a pipeline, about to start.
    pub fn new(pipeline: Pipeline, spec: Value, scope: Scope, reprocess: bool) -> Self {
        let record = JobRecord::new(JobId::generate(), pipeline.name.clone(), Timestamp::now());
        Self {
            pipeline,
            spec,
            record,
            scope,
            reprocess,
        }
    }
}
