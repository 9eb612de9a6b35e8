//! State that the routes share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use drover_shared::id::JobId;
use drover_shared::job::JobRecord;
use drover_shared::ledger::Ledger;
use drover_shared::queue::Broker;
use drover_shared::store::{Location, StoreError};
use tokio::sync::Semaphore;

use super::broker::BrokerHandle;
use super::error::Error;
use super::updates::Updates;
use crate::timeline::SampleCache;
use drover_core::catalog;
use drover_core::coordinator::Snapshot;
use drover_core::leader::LiveJobs;
use drover_core::triggers::WaitReasons;

/// The largest number of event streams at the same time.
const MAX_STREAMS: usize = 32;

/// How often the mark of a followed job is renewed, at most.
const FOLLOW_EVERY: Duration = Duration::from_secs(10);

/// Parts of the process that the API reads from.
#[derive(Clone)]
pub struct ApiContext {
    /// Records of the store.
    pub ledger: Ledger,
    /// Broker of the current process.
    pub broker: BrokerHandle,
    /// Snapshots of the jobs of the current process.
    pub shown: LiveJobs,
    /// Reasons why registered pipelines cannot start a job.
    pub waiting: WaitReasons,
}

/// State of the API; cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<SharedState>);

struct SharedState {
    context: ApiContext,
    updates: Updates,
    streams: Arc<Semaphore>,
    samples: SampleCache,
    /// When jobs were last marked as followed.
    followed: Mutex<HashMap<JobId, Instant>>,
}

impl Api {
    /// Creates the state.
    pub fn new(context: ApiContext) -> Self {
        Self(Arc::new(SharedState {
            context,
            updates: Updates::default(),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            samples: SampleCache::default(),
            followed: Mutex::default(),
        }))
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.0.context.ledger
    }

    pub(crate) fn broker_handle(&self) -> &BrokerHandle {
        &self.0.context.broker
    }

    /// The broker, or an error before the first connection.
    pub(crate) fn broker(&self) -> Result<&Arc<dyn Broker>, Error> {
        self.broker_handle().get().ok_or_else(|| {
            Error::unavailable("the broker is not connected yet; try again in a moment")
        })
    }

    pub(crate) fn updates(&self) -> &Updates {
        &self.0.updates
    }

    pub(crate) fn streams(&self) -> &Arc<Semaphore> {
        &self.0.streams
    }

    /// Ends of datums that were read for timelines.
    pub(crate) fn samples(&self) -> &SampleCache {
        &self.0.samples
    }

    pub(crate) fn waiting(&self) -> &WaitReasons {
        &self.0.context.waiting
    }

    pub(crate) fn coordinated(&self) -> Vec<Snapshot> {
        self.0.context.shown.all()
    }

    /// Snapshot of a job, if the current process coordinates the job.
    pub(crate) fn live(&self, job: JobId) -> Option<Snapshot> {
        self.0.context.shown.get(job)
    }

    /// Tells workers of a look at the logs of an active job. A read-only store shows finished logs only.
    pub(crate) async fn follow(&self, job: JobId) {
        let now = Instant::now();
        let is_due = {
            let mut followed = self
                .0
                .followed
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            followed.retain(|_, last| now.duration_since(*last) < FOLLOW_EVERY);
            let is_due = !followed.contains_key(&job);
            followed.entry(job).or_insert(now);
            is_due
        };
        if is_due {
            let mark = jiff::Timestamp::now().to_string();
            if let Err(error) = self.ledger().mark_followed(job, &mark).await {
                tracing::debug!(job.id = %job, "the job cannot be marked as followed: {error}");
            }
        }
    }

    /// The record of a job: from memory if the current process coordinates the job, else from the store.
    pub(crate) async fn record(&self, job: JobId) -> Result<JobRecord, StoreError> {
        match self.live(job) {
            Some(snapshot) => Ok(snapshot.record),
            None => catalog::record(self.ledger(), job).await,
        }
    }

    /// The record of the job with this id, or a 404 error.
    pub(crate) async fn named(&self, job: JobId) -> Result<JobRecord, Error> {
        let unknown = || {
            Error::not_found(format!(
                "there is no job {job}; GET /api/v1/jobs lists them"
            ))
        };
        match self.record(job).await {
            Err(StoreError::Missing { .. }) => Err(unknown()),
            record => Ok(record?),
        }
    }

    /// The record of a job for a list; none for a damaged or unfinished record.
    pub(crate) async fn readable(&self, job: JobId) -> Result<Option<JobRecord>, StoreError> {
        match self.record(job).await {
            Ok(record) => Ok(Some(record)),
            Err(StoreError::Corrupt { .. } | StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// URL of the store, without credentials.
    pub(crate) fn store(&self) -> String {
        match self.ledger().store().location() {
            Location::Folder(path) => format!("file://{}", path.display()),
            other => other.to_string(),
        }
    }
}
