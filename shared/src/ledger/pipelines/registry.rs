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
use crate::ledger::pipelines::idle_queues::IdleReason;
use crate::ledger::pipelines::leader_term::{LeaderTerm, Superseded};
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

/// Why the change of a leader was not made.
#[derive(Debug, thiserror::Error)]
pub enum TermError {
    /// The leader's term is over.
    #[error(transparent)]
    Superseded(#[from] Superseded),
    /// The registry refuses the change, or the store failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl From<StoreError> for TermError {
    fn from(error: StoreError) -> Self {
        Self::Registry(error.into())
    }
}

/// A revision as stored.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct StoredRevision {
    /// Distinguishes this write from a concurrent write of the same revision.
    unique: String,
    /// None: the pipeline was deleted.
    pipeline: Option<RegisteredPipeline>,
    /// Newest leadership of a Kubernetes operator that changed the pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leader: Option<LeaderTerm>,
    /// The Lease of the operator that registered the pipeline; none for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
}

/// The highest revision of a pipeline; number 0 if the pipeline was never registered.
#[derive(Default)]
struct LatestRevision {
    number: u64,
    pipeline: Option<RegisteredPipeline>,
    leader: Option<LeaderTerm>,
    owner: Option<String>,
}

/// The owner after a change: the Lease of an operator that puts a spec, nobody for a pipeline that a person creates.
fn owner_after(
    change: &PipelineChange,
    term: Option<&LeaderTerm>,
    before: Option<String>,
) -> Option<String> {
    match (change, term) {
        (PipelineChange::Put(_), Some(term)) => Some(term.lease.clone()),
        (PipelineChange::Create(_) | PipelineChange::Delete, _) => None,
        _ => before,
    }
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
        match self.change(name, change, None).await {
            Ok(pipeline) => Ok(pipeline),
            Err(TermError::Registry(error)) => Err(error),
            Err(TermError::Superseded(_)) => unreachable!("only a term can be superseded"),
        }
    }

    /// Changes a registered pipeline on behalf of a leader. Fails if the change of a later leader is recorded. The term
    /// is recorded even if the change has no effect, so no earlier leader can change the pipeline afterwards.
    pub async fn change_pipeline_in_term(
        &self,
        name: &PipelineName,
        change: &PipelineChange,
        term: &LeaderTerm,
    ) -> Result<Option<RegisteredPipeline>, TermError> {
        self.change(name, change, Some(term)).await
    }

    async fn change(
        &self,
        name: &PipelineName,
        change: &PipelineChange,
        term: Option<&LeaderTerm>,
    ) -> Result<Option<RegisteredPipeline>, TermError> {
        loop {
            let latest = self.latest_revision(name).await?;
            if let Some(term) = term {
                term.check(latest.leader.as_ref())?;
            }
            let number = latest.number + 1;
            let changed = apply(latest.pipeline.clone(), change, number, Timestamp::now());
            let is_recorded = term.is_none() || term == latest.leader.as_ref();
            let (pipeline, result) = match changed {
                Ok(pipeline) => (pipeline.clone(), Ok(pipeline)),
                Err(refusal) => {
                    let result = match refusal {
                        ChangeRefusal::Same => Ok(latest.pipeline.clone()),
                        ChangeRefusal::Exists => Err(RegistryError::Exists(name.clone())),
                        ChangeRefusal::Missing => Err(RegistryError::Missing(name.clone())),
                    };
                    if is_recorded {
                        return Ok(result?);
                    }
                    (latest.pipeline, result)
                }
            };
            let stored = StoredRevision {
                unique: Ulid::generate().to_string(),
                owner: pipeline
                    .as_ref()
                    .and_then(|_| owner_after(change, term, latest.owner)),
                pipeline,
                leader: term.cloned().or(latest.leader),
            };
            if self.write_revision(name, number, stored).await? {
                let previous = layout::registration(name, latest.number);
                self.store.delete(&previous).await?;
                self.note_deletion(name, change).await?;
                return Ok(result?);
            }
        }
    }

    /// After a deletion, notes that the queues may be idle, if a broker was ever used.
    async fn note_deletion(
        &self,
        name: &PipelineName,
        change: &PipelineChange,
    ) -> Result<(), StoreError> {
        let is_deletion = matches!(change, PipelineChange::Delete);
        if is_deletion && self.identity().await?.is_some() {
            self.note_idle_queues(name, IdleReason::Deleted).await?;
        }
        Ok(())
    }

    /// Writes a revision; false if another writer created the revision first.
    async fn write_revision(
        &self,
        name: &PipelineName,
        number: u64,
        stored: StoredRevision,
    ) -> Result<bool, StoreError> {
        let key = layout::registration(name, number);
        match self.store.create(&key, to_json(&key, &stored)?).await {
            Ok(()) => {
                // The previous revision is removed next.
                self.store.persist(&key).await?;
                Ok(true)
            }
            Err(StoreError::Exists { .. }) => Ok(self.read_revision(&key).await? == Some(stored)),
            Err(error) => Err(error),
        }
    }

    /// A registered pipeline, if the name is registered.
    pub async fn registered(
        &self,
        name: &PipelineName,
    ) -> Result<Option<RegisteredPipeline>, StoreError> {
        Ok(self.latest_revision(name).await?.pipeline)
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

    /// Pipelines that an operator with the Lease registered. Those of an older Drover are found once an operator has registered
    /// them again.
    pub async fn pipelines_of_lease(&self, lease: &str) -> Result<Vec<PipelineName>, StoreError> {
        let mut found = Vec::new();
        for name in self.pipelines().await? {
            let latest = self.latest_revision(&name).await?;
            if latest.pipeline.is_some() && latest.owner.as_deref() == Some(lease) {
                found.push(name);
            }
        }
        Ok(found)
    }

    async fn latest_revision(&self, name: &PipelineName) -> Result<LatestRevision, StoreError> {
        loop {
            let revisions = self.numbers(&layout::revisions(name), ".json").await?;
            let Some(last) = revisions.last().copied() else {
                return Ok(LatestRevision::default());
            };
            // A concurrent change may have removed the revision meanwhile.
            if let Some(stored) = self
                .read_revision(&layout::registration(name, last))
                .await?
            {
                return Ok(LatestRevision {
                    number: last,
                    pipeline: stored.pipeline,
                    leader: stored.leader,
                    owner: stored.owner,
                });
            }
        }
    }

    async fn read_revision(&self, key: &StoreKey) -> Result<Option<StoredRevision>, StoreError> {
        self.read_optional(key, advice::REGISTERED).await
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

    fn term(lease: &str, transitions: u64) -> LeaderTerm {
        LeaderTerm {
            lease: lease.to_owned(),
            transitions,
        }
    }

    fn put(spec: u32) -> PipelineChange {
        PipelineChange::Put(json!(spec))
    }

    #[tokio::test]
    async fn changes_of_an_earlier_leader_are_refused() {
        let ledger = Ledger::new(Store::in_memory());
        let change = async |change: PipelineChange, term: LeaderTerm| {
            ledger
                .change_pipeline_in_term(&name(), &change, &term)
                .await
        };
        change(put(1), term("a/lease", 1)).await.unwrap();
        // The second leader finds the spec as desired, and is recorded all the same.
        let same = change(put(1), term("a/lease", 2)).await.unwrap().unwrap();
        assert_eq!(same.revision, 1, "the pipeline did not change");
        for refused in [put(2), put(1), PipelineChange::Delete] {
            let refused = change(refused, term("a/lease", 1)).await.unwrap_err();
            assert!(
                matches!(
                    refused,
                    TermError::Superseded(Superseded {
                        recorded: 2,
                        own: 1,
                        ..
                    })
                ),
                "{refused}"
            );
        }
        change(put(3), term("a/lease", 2)).await.unwrap();
        let registered = ledger.registered(&name()).await.unwrap().unwrap();
        assert_eq!(registered.spec, json!(3));
    }

    #[tokio::test]
    async fn a_deleted_pipeline_is_not_created_again_by_an_earlier_leader() {
        let ledger = Ledger::new(Store::in_memory());
        let change = async |change: PipelineChange, term: LeaderTerm| {
            ledger
                .change_pipeline_in_term(&name(), &change, &term)
                .await
        };
        // Deleted before it was ever registered: the term is recorded.
        let missing = change(PipelineChange::Delete, term("a/lease", 2)).await;
        assert!(matches!(
            missing,
            Err(TermError::Registry(RegistryError::Missing(_)))
        ));
        let refused = change(put(1), term("a/lease", 1)).await.unwrap_err();
        assert!(matches!(refused, TermError::Superseded(_)), "{refused}");
        assert_eq!(ledger.registered(&name()).await.unwrap(), None);
        change(put(1), term("b/lease", 1)).await.unwrap();
    }

    #[tokio::test]
    async fn a_person_s_change_keeps_the_recorded_term() {
        let ledger = Ledger::new(Store::in_memory());
        let leader = term("a/lease", 2);
        ledger
            .change_pipeline_in_term(&name(), &put(1), &leader)
            .await
            .unwrap();
        ledger
            .change_pipeline(&name(), &PipelineChange::Pause)
            .await
            .unwrap();
        let refused = ledger
            .change_pipeline_in_term(&name(), &put(2), &term("a/lease", 1))
            .await;
        assert!(matches!(refused, Err(TermError::Superseded(_))));
    }

    #[tokio::test]
    async fn an_operator_finds_what_its_lease_registered_and_nothing_of_a_person() {
        let ledger = Ledger::new(Store::in_memory());
        let of = async |lease: &str| ledger.pipelines_of_lease(lease).await.unwrap();
        let by_operator = async |change: PipelineChange| {
            ledger
                .change_pipeline_in_term(&name(), &change, &term("a/lease", 1))
                .await
                .unwrap();
        };
        let by_person = async |change: PipelineChange| {
            ledger.change_pipeline(&name(), &change).await.unwrap();
        };
        by_operator(put(1)).await;
        by_person(PipelineChange::Pause).await;
        assert_eq!(of("a/lease").await, [name()]);
        assert_eq!(of("b/lease").await, []);
        by_operator(PipelineChange::Delete).await;
        assert_eq!(of("a/lease").await, []);
        by_person(PipelineChange::Create(json!(2))).await;
        assert_eq!(of("a/lease").await, [], "a person made it anew");
        by_operator(put(3)).await;
        assert_eq!(of("a/lease").await, [name()]);
    }
}
