//! A steward for every pipeline that stands or has submitted jobs.

use std::collections::HashMap;
use std::time::Duration;

use drover_shared::id::PipelineName;
use drover_shared::queue::{Consumer, QueueError};
use drover_shared::store::StoreError;
use drover_shared::wire::{Control, Message, decode};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::Steward;
use crate::triggers::Item;

/// How often the ledger is searched for jobs and standing pipelines, in a folder and in a bucket; hints make it quicker,
/// as a rule.
const SEARCH_EVERY: Duration = Duration::from_secs(1);
const SEARCH_BUCKET_EVERY: Duration = Duration::from_secs(10);

/// Keeps a steward for every pipeline that stands or has submitted jobs.
pub struct Service {
    steward: Steward,
    hints: Box<dyn Consumer>,
    /// Pipelines whose stewards are at it; true if there was another hint meanwhile.
    busy: HashMap<PipelineName, bool>,
    stewards: JoinSet<PipelineName>,
}

impl Service {
    /// Listens from now on.
    pub async fn new(steward: Steward) -> Result<Self, QueueError> {
        let hints = steward.broker.listen(&steward.me).await?;
        Ok(Self {
            steward,
            hints,
            busy: HashMap::new(),
            stewards: JoinSet::new(),
        })
    }

    /// Works for ever; may be dropped at any moment, and its jobs go on with the next one who is there.
    pub async fn run(mut self) -> QueueError {
        let mut search = interval(match self.steward.ledger.store().local_root() {
            Some(_) => SEARCH_EVERY,
            None => SEARCH_BUCKET_EVERY,
        });
        search.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                hint = self.hints.next() => match hint {
                    Ok(hint) => {
                        self.heed(&hint.body);
                        // A hint is settled as it is delivered.
                        let _ = hint.ack().await;
                    }
                    Err(error) => return error,
                },
                Some(ended) = self.stewards.join_next() => {
                    let pipeline = ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
                    if self.busy.remove(&pipeline) == Some(true) {
                        self.attend(pipeline);
                    }
                }
                _ = search.tick() => {
                    if let Err(error) = self.search().await {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "cannot look for jobs; trying again");
                    }
                }
            }
        }
    }

    fn heed(&mut self, body: &[u8]) {
        match decode(body) {
            Ok(Message::Control(Control::Submitted { pipeline, .. })) => self.attend(pipeline),
            Ok(_) => {}
            Err(error) => tracing::debug!("a hint is not understood: {error}"),
        }
    }

    /// Sees to it that a steward looks after the pipeline from now on.
    fn attend(&mut self, pipeline: PipelineName) {
        if let Some(again) = self.busy.get_mut(&pipeline) {
            *again = true;
            if let Some(watching) = &self.steward.watching {
                watching.news.tell(Item::Submitted(pipeline));
            }
            return;
        }
        self.busy.insert(pipeline.clone(), false);
        let steward = self.steward.clone();
        self.stewards.spawn(async move {
            steward.run(&pipeline).await;
            pipeline
        });
    }

    /// Looks for pipelines with jobs that nobody told us of.
    async fn search(&mut self) -> Result<(), StoreError> {
        let ledger = self.steward.ledger.clone();
        for pipeline in ledger.pipelines().await? {
            let has_work = async || -> Result<bool, StoreError> {
                Ok(!ledger.submitted(&pipeline).await?.is_empty()
                    || ledger.registered(&pipeline).await?.is_some())
            };
            if !self.busy.contains_key(&pipeline) && has_work().await? {
                self.attend(pipeline);
            }
        }
        Ok(())
    }
}
