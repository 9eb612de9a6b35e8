//! The service: connects to store and broker, runs the worker, and answers the health probe meanwhile.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use drover_shared::ledger::Ledger;
use drover_shared::process::{MetricsExporter, Probe, Tokens};
use drover_shared::queue::Broker;
use drover_shared::store::Store;

use crate::config::Settings;
use crate::consume::work;
use crate::jobs::Cancellations;
use crate::metrics;
use crate::process::connect;
use crate::process::health::WorkerHealth;
use crate::process::own_store::own_store;
use crate::process::request::WorkerRequest;
use crate::process::unknown_pipeline::note_unknown;

/// Runs the worker until it has drained, and answers the health probe meanwhile.
pub async fn run(request: WorkerRequest, tokens: Tokens) -> anyhow::Result<()> {
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
) -> anyhow::Result<()> {
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
    let store = ledger.store().clone();
    let looking = async {
        match request.listen {
            Some(_) => health.look(&store, request.worker()).await,
            None => std::future::pending().await,
        }
    };
    // Boxed: the future of a worker is large.
    let working = Box::pin(work(
        settings,
        ledger,
        broker,
        pipelines,
        cancellations,
        tokens,
    ));
    tokio::select! {
        worked = working => Ok(worked?),
        never = looking => match never {},
    }
}

/// Connects to the store and the broker, and declares the pipelines' queues.
async fn reach(
    request: &WorkerRequest,
    health: &WorkerHealth,
) -> anyhow::Result<(Ledger, Arc<dyn Broker>)> {
    let timeout = request.connect_timeout;
    let store = Store::open_with_retry(&request.store, timeout)
        .await
        .context(connect::NO_STORE)?;
    let ledger = Ledger::new(store);
    let broker = connect::broker(&request.broker, request.worker().as_str(), timeout);
    let broker = broker.await.context(connect::NO_BROKER)?;
    let store = own_store(&ledger, &broker, &request.pipelines, &health.phase).await?;
    if store.is_some() {
        note_unknown(&ledger, &request.pipelines.names()).await?;
    }
    let broker: Arc<dyn Broker> = Arc::new(broker.for_store(store));
    health.watch(&broker);
    for pipeline in request.pipelines.names() {
        broker
            .declare(&pipeline)
            .await
            .context(connect::NO_BROKER)?;
    }
    Ok((ledger, broker))
}

/// Binds the address of the probe, if any; the returned future answers for ever.
async fn answer(
    listen: Option<SocketAddr>,
    health: WorkerHealth,
) -> anyhow::Result<impl Future<Output = Infallible>> {
    let probe = match listen {
        Some(address) => Some(listen_on(address).await?),
        None => None,
    };
    Ok(async move {
        let Some((probe, exporter)) = probe else {
            return std::future::pending().await;
        };
        let (ready, about, link) = (health.clone(), health.clone(), health);
        exporter
            .serve_on(
                probe,
                move || ready.ready(),
                move || about.about(),
                move || link.measure(),
            )
            .await
    })
}

async fn listen_on(address: SocketAddr) -> anyhow::Result<(Probe, MetricsExporter)> {
    let bound = async {
        let probe = Probe::bind(address).await?;
        let exporter = MetricsExporter::install(
            &metrics::BUCKETS_S,
            &[(metrics::MEMORY, &metrics::BUCKETS_BYTES)],
        )?;
        let address = probe.address()?;
        anyhow::Ok((probe, exporter, address))
    };
    let (probe, exporter, address) = bound
        .await
        .with_context(|| format!("cannot listen on {address}; give --listen another address"))?;
    metrics::describe();
    tracing::info!("answering /live, /ready and /metrics on http://{address}");
    Ok((probe, exporter))
}
