//! What the routes answer from.

use std::sync::{Arc, OnceLock};

use drover_shared::id::JobId;
use drover_shared::job::JobRecord;
use drover_shared::ledger::Ledger;
use drover_shared::queue::{Broker, Link};
use drover_shared::store::{Location, StoreError};
use tokio::sync::Semaphore;

use super::error::Error;
use crate::live::feed::Feed;
use drover_core::catalog;
use drover_core::coordinator::Snapshot;
use drover_core::leader::LiveJobs;
use drover_core::triggers::WaitReasons;

/// Event streams at the same time.
const MOST_STREAMS: usize = 32;

/// What a process knows that offers the API.
#[derive(Clone)]
pub struct Known {
    /// The books.
    pub ledger: Ledger,
    /// The broker.
    pub broker: Reach,
    /// The jobs that are coordinated in this process.
    pub shown: LiveJobs,
    /// Why registered pipelines cannot start.
    pub waiting: WaitReasons,
}

/// The broker of this process.
#[derive(Clone)]
pub enum Reach {
    /// It is in this process.
    Embedded(Arc<dyn Broker>),
    /// It is elsewhere, and here from when it is reached on.
    Remote(Arc<OnceLock<Arc<dyn Broker>>>),
}

impl Reach {
    /// The broker, once it is reached.
    pub fn get(&self) -> Option<&Arc<dyn Broker>> {
        match self {
            Self::Embedded(broker) => Some(broker),
            Self::Remote(broker) => broker.get(),
        }
    }

    /// How the connection is.
    pub(crate) fn link(&self) -> Link {
        let never = || Link::Down {
            why: "it was not reached yet".to_owned(),
        };
        self.get().map_or_else(never, |broker| broker.link())
    }
}

/// What the routes answer from. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Inside>);

struct Inside {
    known: Known,
    feed: Feed,
    streams: Arc<Semaphore>,
}

impl Api {
    /// An API that tells what is known.
    pub fn new(known: Known) -> Self {
        Self(Arc::new(Inside {
            known,
            feed: Feed::default(),
            streams: Arc::new(Semaphore::new(MOST_STREAMS)),
        }))
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.0.known.ledger
    }

    pub(crate) fn reach(&self) -> &Reach {
        &self.0.known.broker
    }

    /// The broker; an error until it is reached.
    pub(crate) fn broker(&self) -> Result<&Arc<dyn Broker>, Error> {
        self.reach().get().ok_or_else(|| {
            Error::unavailable("the broker was not reached yet; try again in a moment")
        })
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.0.feed
    }

    pub(crate) fn streams(&self) -> &Arc<Semaphore> {
        &self.0.streams
    }

    /// Why pipelines cannot start.
    pub(crate) fn waiting(&self) -> &WaitReasons {
        &self.0.known.waiting
    }

    /// The jobs that this process coordinates.
    pub(crate) fn coordinated(&self) -> Vec<Snapshot> {
        self.0.known.shown.all()
    }

    /// A job, if this process coordinates it.
    pub(crate) fn live(&self, job: JobId) -> Option<Snapshot> {
        self.0.known.shown.get(job)
    }

    /// The record of a job, as fresh as it is known here.
    pub(crate) async fn record(&self, job: JobId) -> Result<JobRecord, StoreError> {
        match self.live(job) {
            Some(snapshot) => Ok(snapshot.record),
            None => catalog::record(self.ledger(), job).await,
        }
    }

    /// The record of a job that somebody named.
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

    /// The record of a job in a list; one that is damaged or just being made is left out.
    pub(crate) async fn readable(&self, job: JobId) -> Result<Option<JobRecord>, StoreError> {
        match self.record(job).await {
            Ok(record) => Ok(Some(record)),
            Err(StoreError::Corrupt { .. } | StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where the store is, as a URL; it never holds credentials.
    pub(crate) fn store(&self) -> String {
        match self.ledger().store().location() {
            Location::Folder(path) => format!("file://{}", path.display()),
            other => other.to_string(),
        }
    }
}
