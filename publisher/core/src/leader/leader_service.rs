//! A leader for every pipeline that stands or has submitted jobs.

use std::collections::HashMap;
use std::time::Duration;

use drover_shared::id::PipelineName;
use drover_shared::ledger::Ledger;
use drover_shared::queue::{Broker, Consumer, QueueError};
use drover_shared::store::StoreError;
use drover_shared::wire::{Control, Message, decode};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::PipelineLeader;
use crate::catalog;
use crate::triggers::PipelineEvent;

/// How often the ledger is searched for jobs and registered pipelines, in a folder and in a bucket; hints make it quicker,
/// as a rule.
const SEARCH_EVERY: Duration = Duration::from_secs(1);
const SEARCH_BUCKET_EVERY: Duration = Duration::from_secs(10);

/// How often idle queues are looked for, and how long the broker may take for them.
const TIDY_EVERY: Duration = Duration::from_secs(5);
const TIDY_LIMIT: Duration = Duration::from_secs(5);

/// Keeps a leader for every pipeline that stands or has submitted jobs.
pub struct LeaderService {
    leader: PipelineLeader,
    hints: Box<dyn Consumer>,
    /// Pipelines with a running leader; true if a further hint arrived meanwhile.
    busy: HashMap<PipelineName, bool>,
    leaders: JoinSet<PipelineName>,
}

impl LeaderService {
    /// Listens from now on.
    pub async fn new(leader: PipelineLeader) -> Result<Self, QueueError> {
        let hints = leader.broker.listen(&leader.me).await?;
        Ok(Self {
            leader,
            hints,
            busy: HashMap::new(),
            leaders: JoinSet::new(),
        })
    }

    /// Works for ever. The future may be dropped at any moment; the next leader continues the jobs.
    pub async fn run(mut self) -> QueueError {
        let mut search = interval(match self.leader.ledger.store().local_root() {
            Some(_) => SEARCH_EVERY,
            None => SEARCH_BUCKET_EVERY,
        });
        search.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tidy = interval(TIDY_EVERY);
        tidy.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                hint = self.hints.next() => match hint {
                    Ok(hint) => {
                        self.apply_hint(&hint.body).await;
                        // A hint is settled as it is delivered.
                        let _ = hint.ack().await;
                    }
                    Err(error) => return error,
                },
                Some(ended) = self.leaders.join_next() => {
                    let pipeline = ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
                    if self.busy.remove(&pipeline) == Some(true) {
                        self.attend(pipeline);
                    }
                }
                _ = tidy.tick() => tidy_up_queues(&self.leader.ledger, self.leader.broker.as_ref()).await,
                _ = search.tick() => {
                    if let Err(error) = self.search().await {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "cannot look for jobs; trying again");
                    }
                }
            }
        }
    }

    /// Follows a hint. A stranger at the broker can name any number of pipelines, so the store decides which pipelines exist.
    async fn apply_hint(&mut self, body: &[u8]) {
        let pipeline = match decode(body) {
            Ok(Message::Control(Control::Submitted { pipeline, .. })) => pipeline,
            Ok(_) => return,
            Err(error) => return tracing::debug!("a hint is not understood: {error}"),
        };
        if self.busy.contains_key(&pipeline) {
            return self.attend(pipeline);
        }
        match has_work(&self.leader.ledger, &pipeline).await {
            Ok(true) => self.attend(pipeline),
            Ok(false) => {
                tracing::debug!(
                    "ignoring a hint: the store has no work of the pipeline {pipeline}"
                );
            }
            Err(error) => {
                tracing::debug!(
                    "a hint cannot be followed; the next search finds the job: {error}"
                );
            }
        }
    }

    /// Sees to it that a leader looks after the pipeline from now on.
    fn attend(&mut self, pipeline: PipelineName) {
        if let Some(again) = self.busy.get_mut(&pipeline) {
            *again = true;
            if let Some(watching) = &self.leader.watching {
                watching.notifier.tell(PipelineEvent::Submitted(pipeline));
            }
            return;
        }
        self.busy.insert(pipeline.clone(), false);
        let leader = self.leader.clone();
        self.leaders.spawn(async move {
            leader.run(&pipeline).await;
            pipeline
        });
    }

    /// Looks for pipelines with jobs that no hint named.
    async fn search(&mut self) -> Result<(), StoreError> {
        let ledger = self.leader.ledger.clone();
        for pipeline in ledger.pipelines().await? {
            if !self.busy.contains_key(&pipeline) && has_work(&ledger, &pipeline).await? {
                self.attend(pipeline);
            }
        }
        Ok(())
    }
}

/// Deletes the queues of pipelines that were deleted.
async fn tidy_up_queues(ledger: &Ledger, broker: &dyn Broker) {
    let deleting = catalog::delete_idle_queues(ledger, broker);
    if let Ok(Err(error)) = timeout(TIDY_LIMIT, deleting).await {
        let error = &error as &dyn std::error::Error;
        tracing::debug!(error, "idle queues could not be deleted; trying again");
    }
}

/// True if a job of the pipeline waits, or the pipeline is registered.
async fn has_work(ledger: &Ledger, pipeline: &PipelineName) -> Result<bool, StoreError> {
    Ok(!ledger.submitted(pipeline).await?.is_empty()
        || ledger.registered(pipeline).await?.is_some())
}
