//! Keeps the roster of a worker.
//!
//! A named pipeline stays on the roster. A pipeline selected by a pattern is on it while it has an open job, so pipelines
//! without work cost neither queues nor consumers. A broadcast tells of a new job; a worker that misses the broadcast finds the
//! job at the next search of the store.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::time::Duration;

use drover_shared::id::PipelineName;
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::selection::PipelineSelection;
use crate::roster::Roster;

/// How often the store is searched for open jobs, in a folder and in a bucket.
const SEARCH_EVERY: Duration = Duration::from_secs(10);
const SEARCH_BUCKET_EVERY: Duration = Duration::from_mins(1);

/// Searches in a row without an open job after which a pipeline leaves.
const IDLE_SEARCHES: u32 = 2;

/// Hints that wait at the same time. A stranger at the broker can send any number.
pub(crate) const MOST_HINTS: usize = 64;

/// Keeps the pipelines selected by patterns on the roster while they have work.
pub(crate) struct RosterKeeper<'a> {
    pub(crate) selection: &'a PipelineSelection,
    pub(crate) ledger: &'a Ledger,
    pub(crate) roster: &'a Roster,
    /// Pipelines that a broadcast named.
    pub(crate) hints: mpsc::Receiver<PipelineName>,
    /// Receives each pipeline that enters.
    pub(crate) entered: mpsc::Sender<(PipelineName, CancellationToken)>,
}

impl RosterKeeper<'_> {
    /// Keeps the roster for ever.
    pub(crate) async fn run(mut self) -> Infallible {
        if !self.selection.has_patterns() {
            return std::future::pending().await;
        }
        let mut search = interval(match self.ledger.store().local_root() {
            Some(_) => SEARCH_EVERY,
            None => SEARCH_BUCKET_EVERY,
        });
        search.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut idle = HashMap::new();
        loop {
            let looked = tokio::select! {
                Some(pipeline) = self.hints.recv() => self.follow(&pipeline).await,
                _ = search.tick() => self.search(&mut idle).await,
            };
            if let Err(error) = looked {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "cannot look for pipelines with jobs; trying again");
            }
        }
    }

    async fn follow(&self, pipeline: &PipelineName) -> Result<(), StoreError> {
        if !self.roster.has(pipeline) && self.ledger.has_open_job(pipeline).await? {
            self.enter(pipeline).await;
        }
        Ok(())
    }

    /// Looks at all pipelines of the store. `idle` counts the searches in a row that found no open job.
    async fn search(&self, idle: &mut HashMap<PipelineName, u32>) -> Result<(), StoreError> {
        let known = self.ledger.pipelines().await?;
        let known = known
            .into_iter()
            .filter(|name| self.selection.matches(name));
        let served = self.roster.names();
        let served = served
            .into_iter()
            .filter(|name| self.selection.matches(name));
        for pipeline in known.chain(served).collect::<BTreeSet<_>>() {
            if self.ledger.has_open_job(&pipeline).await? {
                idle.remove(&pipeline);
                self.enter(&pipeline).await;
            } else if self.roster.has(&pipeline) {
                let searches = idle.entry(pipeline.clone()).or_default();
                *searches += 1;
                if *searches >= IDLE_SEARCHES {
                    idle.remove(&pipeline);
                    self.roster.dismiss(&pipeline);
                }
            }
        }
        Ok(())
    }

    async fn enter(&self, pipeline: &PipelineName) {
        if let Some(leaves) = self.roster.enter(pipeline) {
            // The receiver is gone if the worker drains.
            let _ = self.entered.send((pipeline.clone(), leaves)).await;
        }
    }
}
