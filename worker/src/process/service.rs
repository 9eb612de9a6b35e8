//! The worker as a process of its own: reaches store and broker, works, and says how it is meanwhile.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use drover_shared::ledger::Ledger;
use drover_shared::process::{MetricsExporter, Probe, Tokens};
use drover_shared::queue::{Broker, QueueError};
use drover_shared::store::{Store, StoreError};

use crate::config::Settings;
use crate::consume::work;
use crate::error::WorkError;
use crate::jobs::Cancellations;
use crate::metrics;
use crate::process::connect;
use crate::process::exit::Exit;
use crate::process::health::Health;
use crate::process::request::Request;

/// Why the process could not do its work (any more).
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The probe's address cannot be had.
    #[error("cannot listen on {address}; give --listen another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The refusal.
        #[source]
        source: io::Error,
    },
    /// The store was not reached.
    #[error("cannot begin without the store; check --store, the network and its credentials")]
    Store(#[source] StoreError),
    /// The broker was not reached, or refuses.
    #[error("cannot begin without the broker; check --broker, the network and its credentials")]
    Broker(#[source] QueueError),
    /// The worker ended before it was asked to.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl ServiceError {
    /// What the process returns.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Store(_)
            | Self::Broker(_)
            | Self::Work(WorkError::Queue { .. } | WorkError::Store { .. }) => Exit::Unreachable,
            Self::Listen { .. }
            | Self::Work(WorkError::Scratch { .. } | WorkError::Runner { .. } | WorkError::Bug) => {
                Exit::Unfit
            }
        }
    }
}

/// Works until it is asked to stop, and says how it is meanwhile.
pub async fn run(request: Request, tokens: Tokens) -> Result<(), ServiceError> {
    let health = Health::default();
    let answering = answer(request.listen, health.clone()).await?;
    tokio::select! {
        worked = serve(&request, &health, tokens) => worked,
        never = answering => match never {},
    }
}

async fn serve(request: &Request, health: &Health, tokens: Tokens) -> Result<(), ServiceError> {
    let reaching = tokens.soft.run_until_cancelled(reach(request, health));
    let Some(reached) = reaching.await else {
        tracing::info!("asked to stop before the work began");
        return Ok(());
    };
    let (ledger, broker) = reached?;
    let settings = Settings {
        phase: health.phase.clone(),
        ..request.settings(ledger.store())
    };
    let stops = Cancellations::new(&tokens.hard);
    let pipelines = request.pipelines.clone();
    // All of a worker's life is one future, and a large one.
    Ok(Box::pin(work(settings, ledger, broker, pipelines, stops, tokens)).await?)
}

/// Reaches the store and the broker, where the pipelines' queues are made if they are not there.
async fn reach(
    request: &Request,
    health: &Health,
) -> Result<(Ledger, Arc<dyn Broker>), ServiceError> {
    let patience = request.connect_timeout;
    let store = Store::reach(&request.store, patience)
        .await
        .map_err(ServiceError::Store)?;
    let broker = connect::broker(&request.broker, request.worker().as_str(), patience);
    let broker = broker.await.map_err(ServiceError::Broker)?;
    health.watch(&broker);
    for pipeline in &request.pipelines {
        broker
            .declare(pipeline)
            .await
            .map_err(ServiceError::Broker)?;
    }
    Ok((Ledger::new(store), broker))
}

/// Listens where it was asked to; what is returned answers for ever.
async fn answer(
    listen: Option<SocketAddr>,
    health: Health,
) -> Result<impl Future<Output = Infallible>, ServiceError> {
    let probe = match listen {
        Some(address) => Some(listen_on(address).await?),
        None => None,
    };
    Ok(async move {
        let Some((probe, measures)) = probe else {
            return std::future::pending().await;
        };
        let (ready, link) = (health.clone(), health);
        measures
            .show_on(probe, move || ready.ready(), move || link.measure_link())
            .await
    })
}

async fn listen_on(address: SocketAddr) -> Result<(Probe, MetricsExporter), ServiceError> {
    let refused = |source| ServiceError::Listen { address, source };
    let probe = Probe::bind(address).await.map_err(refused)?;
    let measures = MetricsExporter::keep(&metrics::BUCKETS_S, &[])
        .map_err(|error| refused(io::Error::other(error)))?;
    metrics::describe();
    let address = probe.address().map_err(refused)?;
    tracing::info!("answering /live, /ready and /metrics on http://{address}");
    Ok((probe, measures))
}
