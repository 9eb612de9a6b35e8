//! Detects changes of jobs, pipelines and the broker, and sends them to all event streams.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobRecord;
use drover_shared::store::{Location, StoreError};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::events::BrokerState;
use crate::resources::jobs::{CONCURRENT_READS, JobOverview};
use crate::resources::pipelines;
use crate::routing::api::Api;
use crate::routing::updates::{Subject, Update, Updates};
use drover_core::coordinator::Snapshot;

/// Interval at which jobs of the current process are polled.
const POLL_EVERY: Duration = Duration::from_millis(250);
/// Polls between two scans of a store in a folder for jobs of other processes.
const POLLS_PER_SCAN_OF_FOLDER: u64 = 8;
/// The same for a bucket, where listing is expensive.
const POLLS_PER_SCAN_OF_BUCKET: u64 = 40;
/// The number of newest jobs that a scan reads.
const NEWEST: usize = 200;
/// Age up to which an ended job is sent to the first subscriber.
const RECENT: SignedDuration = SignedDuration::from_secs(5);

/// The sending side of live updates.
struct Feed<'a>(&'a Updates);

/// The most recent updates, for comparison.
#[derive(Default)]
struct LastSent {
    /// By job; ended jobs are removed after a while.
    jobs: HashMap<JobId, LastJobUpdate>,
    /// By pipeline.
    pipelines: HashMap<PipelineName, Arc<str>>,
    /// The jobs of the current process at the last poll.
    here: Vec<JobId>,
    broker: Option<BrokerState>,
    /// The newest jobs whose records were read.
    read_jobs: BTreeSet<JobId>,
    /// True after the first complete scan.
    has_scanned: bool,
}

/// The most recent update about a job.
struct LastJobUpdate {
    data: Arc<str>,
    is_final: bool,
}

/// Polls until the future is dropped; does nothing while there are no subscribers.
pub(crate) async fn run(api: &Api) -> Infallible {
    Feed(api.updates()).run(api).await
}

impl Feed<'_> {
    async fn run(&self, api: &Api) -> Infallible {
        let polls = match api.ledger().store().location() {
            Location::Bucket(_) => POLLS_PER_SCAN_OF_BUCKET,
            Location::Folder(_) | Location::Memory => POLLS_PER_SCAN_OF_FOLDER,
        };
        let mut last = LastSent::default();
        let mut ticks = interval(POLL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut number: u64 = 0;
        loop {
            ticks.tick().await;
            if !self.0.has_subscribers() {
                (last, number) = (LastSent::default(), 0);
                continue;
            }
            let polled = self
                .poll(api, &mut last, number.is_multiple_of(polls))
                .await;
            if let Err(error) = polled {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "polling for live updates failed; retrying");
            }
            number += 1;
        }
    }

    async fn poll(
        &self,
        api: &Api,
        last: &mut LastSent,
        is_thorough: bool,
    ) -> Result<(), StoreError> {
        let (broker, _) = BrokerState::of(api.broker_handle());
        if last
            .broker
            .replace(broker)
            .is_some_and(|before| before != broker)
        {
            self.0.send(Subject::Session, Update::Session);
        }
        let live = api.coordinated();
        for job in &live {
            self.send_job(last, &job.record, Some(job));
        }
        let here: Vec<JobId> = live.iter().map(|job| job.record.id).collect();
        // Jobs that just left the process have probably ended.
        let mut elsewhere = std::mem::replace(&mut last.here, here.clone());
        if is_thorough {
            elsewhere = last.jobs.keys().copied().collect();
            let newest = api.ledger().newest_jobs(None, None).take(NEWEST);
            elsewhere.extend(last.unread(&newest.try_collect::<Vec<_>>().await?));
        }
        let is_over = |id: &JobId| last.jobs.get(id).is_some_and(|last| last.is_final);
        elsewhere.retain(|id| !here.contains(id) && !is_over(id));
        let read = elsewhere
            .into_iter()
            .map(|id| async move { (id, api.readable(id).await) });
        let mut records = stream::iter(read).buffered(CONCURRENT_READS);
        while let Some((id, record)) = records.next().await {
            // A job whose record is being created is read at the next scan.
            if let Some(record) = record? {
                self.send_record(last, id, &record);
            }
        }
        drop(records);
        if is_thorough {
            last.jobs
                .retain(|id, last| !last.is_final || here.contains(id));
            last.has_scanned = true;
            self.send_pipelines(api, last).await?;
        }
        Ok(())
    }

    /// Sends a job of the store, except for a job that had ended before the first scan. Jobs of later scans are
    /// always sent, because the times may come from the clock of another machine.
    fn send_record(&self, last: &mut LastSent, id: JobId, record: &JobRecord) {
        if last.has_scanned || is_recent(record) {
            self.send_job(last, record, None);
        }
        last.read_jobs.insert(id);
    }

    fn send_job(&self, last: &mut LastSent, record: &JobRecord, live: Option<&Snapshot>) {
        let Ok(data) = serde_json::to_string(&JobOverview::of(record.clone(), live)) else {
            return;
        };
        let data: Arc<str> = data.into();
        let is_changed = last
            .jobs
            .get(&record.id)
            .is_none_or(|last| last.data != data);
        if is_changed {
            let subject = Subject::Job(record.id);
            self.0
                .send(subject, Update::Resource("job", Arc::clone(&data)));
        }
        let is_final = record.state.is_final();
        last.jobs
            .insert(record.id, LastJobUpdate { data, is_final });
    }

    async fn send_pipelines(&self, api: &Api, last: &mut LastSent) -> Result<(), StoreError> {
        let mut gone = std::mem::take(&mut last.pipelines);
        for pipeline in pipelines::all(api).await? {
            let Ok(data) = serde_json::to_string(&pipeline) else {
                continue;
            };
            let data: Arc<str> = data.into();
            let before = gone.remove(&pipeline.pipeline);
            if before.as_ref() != Some(&data) {
                let subject = Subject::Pipeline(pipeline.pipeline.clone());
                let update = Update::Resource("pipeline", Arc::clone(&data));
                self.0.send(subject, update);
            }
            last.pipelines.insert(pipeline.pipeline.clone(), data);
        }
        for name in gone.into_keys() {
            let data = json!({ "pipeline": name, "deleted": true }).to_string();
            let update = Update::Resource("pipeline", data.into());
            self.0.send(Subject::Pipeline(name), update);
        }
        Ok(())
    }
}

impl LastSent {
    /// The newest jobs whose records are still unread.
    fn unread(&mut self, newest: &[JobId]) -> Vec<JobId> {
        self.read_jobs.retain(|id| newest.contains(id));
        let is_new = |id: &JobId| !self.read_jobs.contains(id);
        newest.iter().copied().filter(is_new).collect()
    }
}

/// True if a job is active or ended so recently that a new subscriber may not know the end.
fn is_recent(record: &JobRecord) -> bool {
    let is_lately = |end: Timestamp| Timestamp::now().duration_since(end) < RECENT;
    !record.state.is_final() || record.finished.is_some_and(is_lately)
}
