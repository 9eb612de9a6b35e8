//! A job for a coordinator to run.

use drover_shared::id::JobId;
use drover_shared::job::{Halt, JobRecord};
use drover_shared::ledger::Scope;
use drover_shared::pipeline::Pipeline;
use drover_shared::trace_parent::TraceParent;
use jiff::Timestamp;
use serde_json::Value;

/// A job to be run to its final record.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The parsed pipeline.
    pub pipeline: Pipeline,
    /// The normalised spec of the pipeline; saved with the job and read by workers.
    pub spec: Value,
    /// Record of the job so far.
    pub record: JobRecord,
    /// The datums of the job.
    pub scope: Scope,
    /// True to repeat work that succeeded before, regardless of the spec.
    pub reprocess: bool,
    /// True to go on although the first datums all fail alike.
    pub keep_going: bool,
    /// Ends the job before its last datum.
    pub halt: Option<Halt>,
    /// The trace context of the submitter, which the datums continue.
    pub trace: Option<TraceParent>,
}

impl Assignment {
    /// A new job, about to start.
    pub fn new(pipeline: Pipeline, spec: Value, scope: Scope, reprocess: bool) -> Self {
        let record = JobRecord::new(JobId::generate(), pipeline.name.clone(), Timestamp::now());
        Self {
            pipeline,
            spec,
            record,
            scope,
            reprocess,
            keep_going: false,
            halt: None,
            trace: None,
        }
    }
}
