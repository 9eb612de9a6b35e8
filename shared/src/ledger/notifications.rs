//! Jobs and pipelines with events to be sent, and the state of their deliveries.
//!
//! A job whose spec has receivers is noted here before it begins, so that no end of a process loses an event. The note goes
//! when every event of the ended job was delivered or given up. A pipeline that cannot start a job is noted once that is
//! seen, for as long as it is seen.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Ledger;
use super::records::{advice, parse, to_json};
use crate::id::{JobId, PipelineName};
use crate::store::{ObjectVersion, StoreError, StoreKey, layout};

/// The subject of events.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EventSubject {
    /// A job.
    Job(JobId),
    /// A pipeline that cannot start a job.
    Pipeline(PipelineName),
}

impl EventSubject {
    /// The job; none for a pipeline.
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::Job(job) => Some(*job),
            Self::Pipeline(_) => None,
        }
    }

    fn key(&self) -> StoreKey {
        match self {
            Self::Job(job) => layout::deliveries_of(*job),
            Self::Pipeline(pipeline) => layout::deliveries_of_pipeline(pipeline),
        }
    }
}

impl From<JobId> for EventSubject {
    fn from(job: JobId) -> Self {
        Self::Job(job)
    }
}

impl fmt::Display for EventSubject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(job) => write!(out, "job {job}"),
            Self::Pipeline(pipeline) => write!(out, "pipeline {pipeline}"),
        }
    }
}

/// Deliveries of the events of one subject.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Deliveries {
    /// By `<event>.<number of the receiver>`.
    pub deliveries: BTreeMap<String, Delivery>,
    /// The present standstill.
    pub standstill: Option<Standstill>,
    /// Standstills of the job so far, the present one included.
    pub standstills: u32,
    /// When a process saw the obstacle of a pipeline last; none for a job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
}

/// The delivery of one event to one receiver.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Delivery {
    /// Time of the first try.
    pub since: Timestamp,
    /// Tries that have begun.
    pub tries: u32,
    /// No process tries before then: the pause after a failure, or the time limit of the try under way.
    pub not_before: Timestamp,
    /// True once the event was delivered or given up.
    pub ended: bool,
}

/// A job or pipeline that makes no progress.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Standstill {
    /// When the obstacle was first seen.
    pub since: Timestamp,
    /// The obstacle, as first seen.
    pub why: String,
}

impl Ledger {
    /// Notes that events of the subject are to be sent.
    pub async fn note_receivers(&self, of: &EventSubject) -> Result<(), StoreError> {
        let key = of.key();
        let created = self
            .store
            .create(&key, to_json(&key, &Deliveries::default())?);
        match created.await {
            Ok(()) | Err(StoreError::Exists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Jobs with events to be sent, oldest first.
    pub async fn jobs_with_receivers(&self) -> Result<Vec<JobId>, StoreError> {
        let names = self.store.names(&layout::deliveries()).await?;
        let ids = names
            .iter()
            .filter_map(|name| name.strip_suffix(".json")?.parse().ok());
        Ok(ids.collect())
    }

    /// Pipelines with events to be sent, in the order of their names.
    pub async fn pipelines_with_events(&self) -> Result<Vec<PipelineName>, StoreError> {
        let names = self.store.names(&layout::pipeline_deliveries()).await?;
        let pipelines = names
            .iter()
            .filter_map(|name| name.strip_suffix(".json")?.parse().ok());
        Ok(pipelines.collect())
    }

    /// The deliveries of a subject, for [`Ledger::change_deliveries`]; none if the subject has none, or no longer. A damaged
    /// record counts as new: an event may be delivered twice, and its id is the same.
    pub async fn deliveries(
        &self,
        of: &EventSubject,
    ) -> Result<Option<(Deliveries, ObjectVersion)>, StoreError> {
        let key = of.key();
        let (bytes, version) = match self.store.get_versioned(&key).await {
            Ok(found) => found,
            Err(StoreError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        match parse(&key, &bytes, advice::DELIVERIES) {
            Ok(state) => Ok(Some((state, version))),
            Err(StoreError::Corrupt { .. }) => Ok(Some((Deliveries::default(), version))),
            Err(error) => Err(error),
        }
    }

    /// Replaces the deliveries of a subject; false if another process changed the record after the given version.
    pub async fn change_deliveries(
        &self,
        of: &EventSubject,
        state: &Deliveries,
        version: &ObjectVersion,
    ) -> Result<bool, StoreError> {
        let key = of.key();
        match self
            .store
            .replace(&key, to_json(&key, state)?, version)
            .await
        {
            Ok(()) => Ok(true),
            Err(StoreError::Changed { .. } | StoreError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes the deliveries of a subject.
    pub async fn forget_deliveries(&self, of: &EventSubject) -> Result<(), StoreError> {
        self.store.delete(&of.key()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn of_two_processes_that_change_the_deliveries_one_is_told_that_it_was_late() {
        let ledger = Ledger::new(Store::in_memory());
        let id = JobId::generate();
        let job = &EventSubject::from(id);
        assert!(ledger.deliveries(job).await.unwrap().is_none());
        ledger.note_receivers(job).await.unwrap();
        let (mut state, version) = ledger.deliveries(job).await.unwrap().unwrap();
        state.standstills = 1;
        for expected in [true, false] {
            let changed = ledger.change_deliveries(job, &state, &version).await;
            assert_eq!(changed.unwrap(), expected);
        }
        ledger.note_receivers(job).await.unwrap();
        let (stored, _) = ledger.deliveries(job).await.unwrap().unwrap();
        assert_eq!(stored.standstills, 1, "a second note changes nothing");
        assert_eq!(ledger.jobs_with_receivers().await.unwrap(), [id]);
        ledger.forget_deliveries(job).await.unwrap();
        assert_eq!(ledger.jobs_with_receivers().await.unwrap(), []);
    }
}
