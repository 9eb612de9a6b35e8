//! Leaders of pipelines: each resumes the jobs of one pipeline, in sequence.
//!
//! A [`PipelineLeader`] acquires the [`leadership`] of its pipeline, which the broker gives to one process at a time;
//! begins an epoch, which fences the leaders before it; and resumes the jobs from what the ledger says. A leader
//! holds no state that the ledger lacks, so it may die at any moment. A [`LeaderService`] runs a leader for every
//! pipeline that has jobs; [`follow`] watches a job that some leader coordinates. `drover run` has a leader with
//! [`LocalWorkers`] and a queue of its own, which runs [jobs that belong to the command](own_job).

mod candidacy;
mod error;
mod follow;
mod leader_service;
mod leadership;
mod live_jobs;
mod local_workers;
pub mod metrics;
mod next_job;
mod own_job;
mod pipeline_leader;
mod resume_job;
mod scratch;

#[cfg(test)]
mod tests;

pub use error::LeadError;
pub use follow::follow;
pub use leader_service::LeaderService;
pub use live_jobs::LiveJobs;
pub use local_workers::{LocalWorkers, OnShutdown, QUEUE_CAPACITY};
pub use pipeline_leader::{PipelineLeader, Workers};
