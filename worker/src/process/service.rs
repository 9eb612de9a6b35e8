//! The service: connects to store and broker, runs the worker, and answers the health probe meanwhile.

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
use crate::process::health::WorkerHealth;
use crate::process::request::WorkerRequest;

/// An error that ends the service.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The probe cannot listen on its address.
    #[error("cannot listen on {address}; give --listen another address")]
    Listen {
        /// The address of `--listen`.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The store could not be opened within the connect timeout.
    #[error("cannot begin without the store; check --store, the network and its credentials")]
    Store(#[source] StoreError),
    /// The broker could not be reached within the connect timeout, or refuses the worker.
    #[error("cannot begin without the broker; check --broker, the network and its credentials")]
    Broker(#[source] QueueError),
    /// The worker ended because of an error.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl ServiceError {
    /// The exit code of the process.
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

/// Runs the worker until it has drained, and answers the health probe meanwhile.
pub async fn run(request: WorkerRequest, tokens: Tokens) -> Result<(), ServiceError> {
    let health = WorkerHealth::default();
    let answering = answer(request.listen, health.clone()).await?;
    tokio::select! {
        worked = serve(&request, &health, tokens) => worked,
        never = answering => match never {},
    }
}

async fn serve(
    request: &WorkerRequest,
    health: &WorkerHealth,
    tokens: Tokens,
) -> Result<(), ServiceError> {
    let reaching = tokens.soft.run_until_cancelled(reach(request, health));
    let Some(reached) = reaching.await else {
        tracing::info!("stopped before store and broker were connected");
        return Ok(());
    };
    let (ledger, broker) = reached?;
    let settings = Settings {
        phase: health.phase.clone(),
        ..request.settings(ledger.store())
    };
    let cancellations = Cancellations::new(&tokens.hard);
    let pipelines = request.pipelines.clone();
    // Boxed: the future of a worker is large.
    Ok(Box::pin(work(
        settings,
        ledger,
        broker,
        pipelines,
        cancellations,
        tokens,
    ))
    .await?)
}

/// Connects to the store and the broker, and declares the pipelines' queues.
async fn reach(
    request: &WorkerRequest,
    health: &WorkerHealth,
) -> Result<(Ledger, Arc<dyn Broker>), ServiceError> {
    let timeout = request.connect_timeout;
    let store = Store::open_with_retry(&request.store, timeout)
        .await
        .map_err(ServiceError::Store)?;
    let broker = connect::broker(&request.broker, request.worker().as_str(), timeout);
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

/// Binds the address of the probe, if any; the returned future answers for ever.
async fn answer(
    listen: Option<SocketAddr>,
    health: WorkerHealth,
) -> Result<impl Future<Output = Infallible>, ServiceError> {
    let probe = match listen {
        Some(address) => Some(listen_on(address).await?),
        None => None,
    };
    Ok(async move {
        let Some((probe, exporter)) = probe else {
            return std::future::pending().await;
        };
        let (ready, link) = (health.clone(), health);
        exporter
            .serve_on(probe, move || ready.ready(), move || link.measure_link())
            .await
    })
}

async fn listen_on(address: SocketAddr) -> Result<(Probe, MetricsExporter), ServiceError> {
    let refused = |source| ServiceError::Listen { address, source };
    let probe = Probe::bind(address).await.map_err(refused)?;
    let exporter = MetricsExporter::install(&metrics::BUCKETS_S, &[])
        .map_err(|error| refused(io::Error::other(error)))?;
    metrics::describe();
    let address = probe.address().map_err(refused)?;
    tracing::info!("answering /live, /ready and /metrics on http://{address}");
    Ok((probe, exporter))
}
