//! Registered pipelines: a service watches their inputs and starts jobs when the inputs change.
//!
//! Every change creates a revision, which is written once: of two concurrent changes, the second fails to create the
//! revision, reads the first one and applies itself again. The highest revision counts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ulid::Ulid;

use crate::id::PipelineName;
use crate::ledger::Ledger;
use crate::ledger::records::{advice, to_json};
use crate::store::{StoreError, StoreKey, layout};

/// A registered pipeline.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RegisteredPipeline {
    /// Number of changes so far, including the creation.
    pub revision: u64,
    /// Time of the creation.
    pub created: Timestamp,
    /// Time of the last change.
    pub updated: Timestamp,
    /// True if the pipeline starts no jobs at present.
    pub paused: bool,
    /// The normalised spec.
    pub spec: Value,
    /// How many times a person requested a run, whatever the state of the inputs.
    #[serde(rename = "wanted", default)]
    pub run_requests: u64,
}

/// A change to a registered pipeline.
#[derive(Clone, Debug)]
pub enum PipelineChange {
    /// Creates the pipeline with this normalised spec.
    Create(Value),
    /// Replaces the spec.
    Update(Value),
    /// Creates the pipeline, or updates it if the spec differs.
    Put(Value),
    /// Suspends the start of jobs.
    Pause,
    /// Resumes the start of jobs.
    Resume,
    /// Requests a job even if nothing changed.
    RequestRun,
    /// Removes the registration. Records and output stay.
    Delete,
}

/// Why a registered pipeline was not changed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The pipeline is registered already.
    #[error("pipeline {0} exists already; `drover update pipeline` changes it")]
    Exists(PipelineName),
    /// No such pipeline is registered.
    #[error(
        "there is no registered pipeline {0}; `drover pipelines` lists them, `drover create pipeline` makes one"
    )]
    Missing(PipelineName),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A revision as stored.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct StoredRevision {
    /// Distinguishes this write from a concurrent write of the same revision.
    unique: String,
    /// None: the pipeline was deleted.
    pipeline: Option<RegisteredPipeline>,
}

/// Applies a change to a pipeline; none stands for a pipeline that is not registered.
fn apply(
    current: Option<RegisteredPipeline>,
    change: &PipelineChange,
    revision: u64,
    now: Timestamp,
) -> Result<Option<RegisteredPipeline>, ChangeRefusal> {
    let made = |spec: &Value| RegisteredPipeline {
        revision,
        created: now,
        updated: now,
        paused: false,
        spec: spec.clone(),
        run_requests: 0,
    };
    let current = match (current, change) {
        (None, PipelineChange::Create(spec) | PipelineChange::Put(spec)) => {
            return Ok(Some(made(spec)));
        }
        (None, _) => return Err(ChangeRefusal::Missing),
        (Some(_), PipelineChange::Create(_)) => return Err(ChangeRefusal::Exists),
        (Some(_), PipelineChange::Delete) => return Ok(None),
        (Some(current), _) => current,
    };
    let mut changed = current.clone();
    match change {
        PipelineChange::Update(spec) | PipelineChange::Put(spec) => changed.spec = spec.clone(),
        PipelineChange::Pause => changed.paused = true,
        PipelineChange::Resume => changed.paused = false,
        PipelineChange::RequestRun => changed.run_requests += 1,
        PipelineChange::Create(_) | PipelineChange::Delete => {}
    }
    if changed == current {
        return Err(ChangeRefusal::Same);
    }
    Ok(Some(RegisteredPipeline {
        revision,
        updated: now,
        ..changed
    }))
}

/// Reasons to write nothing.
#[derive(Debug, PartialEq)]
enum ChangeRefusal {
    Exists,
    Missing,
    /// The change has no effect.
    Same,
}

impl Ledger {
    /// Changes a registered pipeline. Returns the new state, none after [`PipelineChange::Delete`].
    pub async fn change_pipeline(
        &self,
        name: &PipelineName,
        change: &PipelineChange,
    ) -> Result<Option<RegisteredPipeline>, RegistryError> {
        loop {
            let (last, current) = self.latest_revision(name).await?;
            let revision = last + 1;
            let pipeline = match apply(current.clone(), change, revision, Timestamp::now()) {
                Ok(pipeline) => pipeline,
                Err(ChangeRefusal::Same) => return Ok(current),
                Err(ChangeRefusal::Exists) => return Err(RegistryError::Exists(name.clone())),
                Err(ChangeRefusal::Missing) => return Err(RegistryError::Missing(name.clone())),
            };
            if self
                .write_revision(name, revision, pipeline.as_ref())
                .await?
            {
                self.store.delete(&layout::registration(name, last)).await?;
                return Ok(pipeline);
            }
        }
    }

    /// Writes a revision; false if another writer created the revision first.
    async fn write_revision(
        &self,
        name: &PipelineName,
        revision: u64,
        pipeline: Option<&RegisteredPipeline>,
    ) -> Result<bool, StoreError> {
        let key = layout::registration(name, revision);
        let stored = StoredRevision {
            unique: Ulid::generate().to_string(),
            pipeline: pipeline.cloned(),
        };
        match self.store.create(&key, to_json(&key, &stored)?).await {
            Ok(()) => Ok(true),
            Err(StoreError::Exists { .. }) => Ok(self.read_revision(&key).await? == Some(stored)),
            Err(error) => Err(error),
        }
    }

    /// A registered pipeline, if the name is registered.
    pub async fn registered(
        &self,
        name: &PipelineName,
    ) -> Result<Option<RegisteredPipeline>, StoreError> {
        Ok(self.latest_revision(name).await?.1)
    }

    /// All registered pipelines, sorted by name.
    pub async fn registered_pipelines(
        &self,
    ) -> Result<Vec<(PipelineName, RegisteredPipeline)>, StoreError> {
        let mut all = Vec::new();
        for name in self.pipelines().await? {
            if let Some(registered) = self.registered(&name).await? {
                all.push((name, registered));
            }
        }
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(all)
    }

    /// Number and content of the highest revision; 0 if the pipeline was never registered.
    async fn latest_revision(
        &self,
        name: &PipelineName,
    ) -> Result<(u64, Option<RegisteredPipeline>), StoreError> {
        loop {
            let names = self.store.names(&layout::revisions(name)).await?;
            let Some(last) = names.iter().filter_map(|name| number(name)).max() else {
                return Ok((0, None));
            };
            // A concurrent change may have removed the revision meanwhile.
            if let Some(stored) = self
                .read_revision(&layout::registration(name, last))
                .await?
            {
                return Ok((last, stored.pipeline));
            }
        }
    }

    async fn read_revision(&self, key: &StoreKey) -> Result<Option<StoredRevision>, StoreError> {
        match self.read(key, advice::REGISTERED).await {
            Ok(stored) => Ok(Some(stored)),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Input fingerprint of the newest job of a registered pipeline, if the pipeline started a job.
    pub async fn started_for(&self, name: &PipelineName) -> Result<Option<String>, StoreError> {
        match self.store.get(&layout::started_for(name)).await {
            Ok(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Saves the input fingerprint of the newest job of a registered pipeline.
    pub async fn save_started_for(
        &self,
        name: &PipelineName,
        fingerprint: &str,
    ) -> Result<(), StoreError> {
        let text = fingerprint.to_owned().into();
        self.store.put(&layout::started_for(name), text).await
    }
}

fn number(name: &str) -> Option<u64> {
    name.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::Store;

    fn name() -> PipelineName {
        "made".parse().unwrap()
    }

    #[tokio::test]
    async fn a_pipeline_is_created_once_and_changed_until_it_is_deleted() {
        let ledger = Ledger::new(Store::in_memory());
        let change = async |change: PipelineChange| ledger.change_pipeline(&name(), &change).await;
        let refused = change(PipelineChange::Pause).await.unwrap_err();
        assert!(matches!(refused, RegistryError::Missing(_)), "{refused}");
        change(PipelineChange::Create(json!(1))).await.unwrap();
        let refused = change(PipelineChange::Create(json!(2))).await.unwrap_err();
        assert!(matches!(refused, RegistryError::Exists(_)), "{refused}");
        change(PipelineChange::Update(json!(2))).await.unwrap();
        let paused = change(PipelineChange::Pause).await.unwrap().unwrap();
        assert_eq!((paused.revision, paused.paused), (3, true));
        assert_eq!(ledger.registered(&name()).await.unwrap(), Some(paused));
        assert_eq!(change(PipelineChange::Delete).await.unwrap(), None);
        assert_eq!(ledger.registered_pipelines().await.unwrap(), []);
        let again = change(PipelineChange::Create(json!(3)))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((again.revision, again.paused), (5, false));
        assert_eq!(ledger.registered_pipelines().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_change_without_effect_writes_nothing() {
        let ledger = Ledger::new(Store::in_memory());
        let put = async |spec| {
            let change = PipelineChange::Put(spec);
            ledger
                .change_pipeline(&name(), &change)
                .await
                .unwrap()
                .unwrap()
                .revision
        };
        assert_eq!(put(json!(1)).await, 1);
        assert_eq!(put(json!(1)).await, 1);
        assert_eq!(put(json!(2)).await, 2);
    }

    #[tokio::test]
    async fn concurrent_changes_are_all_applied() {
        let ledger = Ledger::new(Store::in_memory());
        let create = PipelineChange::Create(json!(1));
        ledger.change_pipeline(&name(), &create).await.unwrap();
        let requests = (0..20).map(|_| async {
            let change = PipelineChange::RequestRun;
            ledger.change_pipeline(&name(), &change).await.unwrap();
        });
        futures::future::join_all(requests).await;
        let registered = ledger.registered(&name()).await.unwrap().unwrap();
        assert_eq!((registered.run_requests, registered.revision), (20, 21));
    }
}
