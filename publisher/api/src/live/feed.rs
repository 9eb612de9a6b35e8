//! Looks for what changes, once for all who listen.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobRecord;
use drover_shared::store::{Location, StoreError};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::sync::broadcast;
use tokio::time::{MissedTickBehavior, interval};

use super::events::{BrokerState, Told};
use crate::resources::jobs::{READS_AT_ONCE, Seen};
use crate::resources::pipelines;
use crate::routing::api::Api;
use drover_core::coordinator::Snapshot;

/// How often jobs that this process coordinates are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How many of these looks come between two looks into a folder for what others do.
const LOOKS_A_FOLDER: u64 = 8;
/// The same for a bucket, where looking costs.
const LOOKS_A_BUCKET: u64 = 40;
/// How many of the newest jobs are looked at for those that have not ended.
const NEWEST: usize = 200;
/// How long ago a job may have ended that is told to who just came.
const LATELY: SignedDuration = SignedDuration::from_secs(5);
/// Events that a client may be behind, before it misses some.
const BEHIND: usize = 256;

/// Looks for what changes, as long as somebody listens.
#[derive(Debug)]
pub(crate) struct Feed(broadcast::Sender<Told>);

impl Default for Feed {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

/// What was told last.
#[derive(Default)]
struct Memory {
    /// Of each job; those that have ended are forgotten after a while.
    jobs: HashMap<JobId, Last>,
    /// Of each pipeline.
    pipelines: HashMap<PipelineName, Arc<str>>,
    /// The jobs that this process coordinated at the last look.
    here: Vec<JobId>,
    /// How the broker was.
    broker: Option<BrokerState>,
    /// Those of the newest jobs whose records were read.
    heard_of: BTreeSet<JobId>,
    /// Whether all there is was looked at once.
    has_looked: bool,
}

/// What was told last of a job.
struct Last {
    data: Arc<str>,
    is_final: bool,
}

impl Feed {
    /// What is told from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Told> {
        self.0.subscribe()
    }

    /// Looks for ever.
    pub(crate) async fn run(&self, api: &Api) -> Infallible {
        let looks = match api.ledger().store().location() {
            Location::Bucket(_) => LOOKS_A_BUCKET,
            Location::Folder(_) | Location::Memory => LOOKS_A_FOLDER,
        };
        let mut memory = Memory::default();
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut number: u64 = 0;
        loop {
            ticks.tick().await;
            if self.0.receiver_count() == 0 {
                (memory, number) = (Memory::default(), 0);
                continue;
            }
            let looked = self
                .look(api, &mut memory, number.is_multiple_of(looks))
                .await;
            if let Err(error) = looked {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "what changed cannot be told; trying again");
            }
            number += 1;
        }
    }

    async fn look(
        &self,
        api: &Api,
        memory: &mut Memory,
        is_thorough: bool,
    ) -> Result<(), StoreError> {
        let (broker, _) = BrokerState::of(api.reach());
        if memory
            .broker
            .replace(broker)
            .is_some_and(|last| last != broker)
        {
            self.tell(Told::Session);
        }
        let live = api.coordinated();
        for job in &live {
            self.tell_job(memory, &job.record, Some(job));
        }
        let here: Vec<JobId> = live.iter().map(|job| job.record.id).collect();
        // Those that were coordinated here until just now have most likely ended.
        let mut elsewhere = std::mem::replace(&mut memory.here, here.clone());
        if is_thorough {
            elsewhere = memory.jobs.keys().copied().collect();
            elsewhere.extend(memory.unheard_of(api.ledger().jobs().await?));
        }
        let is_over = |id: &JobId| memory.jobs.get(id).is_some_and(|last| last.is_final);
        elsewhere.retain(|id| !here.contains(id) && !is_over(id));
        let read = elsewhere
            .into_iter()
            .map(|id| async move { (id, api.readable(id).await) });
        let mut records = stream::iter(read).buffered(READS_AT_ONCE);
        while let Some((id, record)) = records.next().await {
            // One whose books are just being opened is looked at again.
            if let Some(record) = record? {
                self.tell_record(memory, id, &record);
            }
        }
        drop(records);
        if is_thorough {
            memory
                .jobs
                .retain(|id, last| !last.is_final || here.contains(id));
            memory.has_looked = true;
            self.tell_pipelines(api, memory).await?;
        }
        Ok(())
    }

    /// Tells of a job that the ledger knows; not of one that had ended before anybody listened. What is found later only
    /// is news, whatever its times say: they may be those of another machine's clock.
    fn tell_record(&self, memory: &mut Memory, id: JobId, record: &JobRecord) {
        if memory.has_looked || is_of_now(record) {
            self.tell_job(memory, record, None);
        }
        memory.heard_of.insert(id);
    }

    fn tell_job(&self, memory: &mut Memory, record: &JobRecord, live: Option<&Snapshot>) {
        let Ok(data) = serde_json::to_string(&Seen::of(record.clone(), live)) else {
            return;
        };
        let data: Arc<str> = data.into();
        let is_news = memory
            .jobs
            .get(&record.id)
            .is_none_or(|last| last.data != data);
        if is_news {
            self.tell(Told::News("job", Arc::clone(&data)));
        }
        let is_final = record.state.is_final();
        memory.jobs.insert(record.id, Last { data, is_final });
    }

    async fn tell_pipelines(&self, api: &Api, memory: &mut Memory) -> Result<(), StoreError> {
        let mut gone = std::mem::take(&mut memory.pipelines);
        for pipeline in pipelines::all(api).await? {
            let Ok(data) = serde_json::to_string(&pipeline) else {
                continue;
            };
            let data: Arc<str> = data.into();
            let before = gone.remove(&pipeline.pipeline);
            if before.as_ref() != Some(&data) {
                self.tell(Told::News("pipeline", Arc::clone(&data)));
            }
            memory.pipelines.insert(pipeline.pipeline.clone(), data);
        }
        for name in gone.into_keys() {
            let data = json!({ "pipeline": name, "deleted": true }).to_string();
            self.tell(Told::News("pipeline", data.into()));
        }
        Ok(())
    }

    fn tell(&self, told: Told) {
        // It is no error if nobody listens any more.
        let _ = self.0.send(told);
    }
}

impl Memory {
    /// The newest of `jobs` (oldest first) whose records were not read yet.
    fn unheard_of(&mut self, jobs: Vec<JobId>) -> Vec<JobId> {
        let newest: Vec<JobId> = jobs.into_iter().rev().take(NEWEST).collect();
        self.heard_of.retain(|id| newest.contains(id));
        let is_new = |id: &JobId| !self.heard_of.contains(id);
        newest.into_iter().filter(is_new).collect()
    }
}

/// Whether a job goes on, or has ended so lately that somebody who just began to listen may not know.
fn is_of_now(record: &JobRecord) -> bool {
    let is_lately = |end: Timestamp| Timestamp::now().duration_since(end) < LATELY;
    !record.state.is_final() || record.finished.is_some_and(is_lately)
}
