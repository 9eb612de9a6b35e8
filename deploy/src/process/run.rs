//! The operator's life: connect to cluster, store and broker, acquire the Lease, reconcile, release the Lease.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use drover_shared::ledger::{LeaderTerm, Ledger};
use drover_shared::process::{MetricsExporter, Probe, Tokens};
use drover_shared::queue::rabbitmq::{ConnectOptions, RabbitMq};
use drover_shared::queue::{Broker, Link};
use drover_shared::store::Store;
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};

use crate::health::Health;
use crate::job_store::LedgerJobStore;
use crate::leader::LeaseCandidate;
use crate::operator::{Context, FailureCounts, RegisteredNames, hints, watch, watch_nodes};
use crate::process::config::OperatorConfig;
use crate::worker_probe::HttpWorkerProbe;
use crate::{metrics, objects};

const NO_CLUSTER: &str =
    "cannot find the cluster; run it in a pod with a service account, or set KUBECONFIG";
const NO_STORE: &str =
    "cannot start without the store; check --store, the network and its credentials";
const NO_BROKER: &str =
    "cannot start without the broker; check --broker, the network and its credentials";

/// Interval between two probes of the broker's alarms.
const ALARM_INTERVAL: Duration = Duration::from_secs(10);

/// The broker, once it is connected.
type BrokerCell = Arc<OnceLock<RabbitMq>>;

/// Runs until the process is asked to stop.
pub async fn run(config: OperatorConfig, tokens: Tokens) -> anyhow::Result<()> {
    let reached = BrokerCell::default();
    let health = Arc::new(Health::default());
    let probes = serve_probes(config.listen, Arc::clone(&reached), Arc::clone(&health)).await?;
    tokio::select! {
        ended = serve(config, reached, health, tokens) => ended,
        never = probes => match never {},
    }
}

async fn serve(
    config: OperatorConfig,
    reached: BrokerCell,
    health: Arc<Health>,
    tokens: Tokens,
) -> anyhow::Result<()> {
    let stop = tokens.soft;
    let connecting = async {
        let client = Client::try_default().await.context(NO_CLUSTER)?;
        let options = ConnectOptions::within(config.connect_timeout);
        let store = Store::open_with_retry(&config.store, config.connect_timeout).await;
        let broker = RabbitMq::connect(&config.broker, &config.me, options).await;
        let store = store.context(NO_STORE)?;
        let broker = broker.context(NO_BROKER)?;
        anyhow::Ok((client, store, reached.get_or_init(|| broker).clone()))
    };
    let Some(connected) = stop.run_until_cancelled(connecting).await else {
        return Ok(());
    };
    let (client, store, broker) = connected?;
    let candidate = LeaseCandidate::new(
        client.clone(),
        &config.namespace,
        &config.lease,
        &config.me,
        Arc::clone(&health),
    );
    tracing::info!("waiting for the Lease {}", config.lease);
    let Some(leadership) = stop.run_until_cancelled(candidate.acquire()).await else {
        return Ok(());
    };
    metrics::set_leader(true);
    tracing::info!(
        term = leadership.transitions,
        "leading in the namespace {}",
        config.namespace
    );
    let term = LeaderTerm {
        lease: format!("{}/{}", config.namespace, config.lease),
        transitions: leadership.transitions,
    };
    let job_store = LedgerJobStore::new(Ledger::new(store), term);
    let reconciling = reconcile_all(&config, client, job_store, broker, health, stop.clone());
    let ended = candidate.lead(leadership, Box::pin(reconciling)).await?;
    if let Err(error) = candidate.release().await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "cannot release the Lease; it expires by itself");
    }
    ended
}

/// Reconciles pipelines until `stop`; running reconciliations then finish.
async fn reconcile_all(
    config: &OperatorConfig,
    client: Client,
    job_store: LedgerJobStore,
    broker: RabbitMq,
    health: Arc<Health>,
    stop: tokio_util::sync::CancellationToken,
) -> anyhow::Result<()> {
    let (nodes, node_changes) = watch_nodes(client.clone());
    let hints = hints(&broker, &config.me).await.context(NO_BROKER)?;
    let reporter = Reporter {
        controller: objects::MANAGER.to_owned(),
        instance: Some(config.me.clone()),
    };
    let probed = broker.clone();
    let (workers, cluster) = (config.workers.clone(), client.clone());
    let context = |pipelines| Context {
        recorder: Recorder::new(cluster.clone(), reporter),
        client: cluster,
        job_store: Arc::new(job_store),
        worker_probe: Arc::new(HttpWorkerProbe),
        link: Box::new(move || broker.link()),
        workers,
        nodes,
        pipelines,
        health,
        registered: RegisteredNames::default(),
        failures: FailureCounts::default(),
    };
    let watching = watch(
        client,
        &config.namespace,
        context,
        node_changes,
        hints,
        stop.cancelled_owned(),
    );
    tokio::select! {
        () = watching => Ok(()),
        never = probe_alarms(&probed) => match never {},
    }
}

/// Asks the broker for alarms forever, so a condition reports an alarm although the operator publishes nothing.
async fn probe_alarms(broker: &RabbitMq) -> Infallible {
    loop {
        broker.probe_alarm().await;
        tokio::time::sleep(ALARM_INTERVAL).await;
    }
}

/// Binds the probe's address. The returned future serves probes forever.
async fn serve_probes(
    listen: Option<SocketAddr>,
    reached: BrokerCell,
    health: Arc<Health>,
) -> anyhow::Result<impl Future<Output = Infallible>> {
    let probe = match listen {
        Some(address) => Some(listen_on(address).await.with_context(|| {
            format!("cannot listen on {address}; give --listen another address")
        })?),
        None => None,
    };
    Ok(async move {
        let Some((probe, exporter)) = probe else {
            return std::future::pending().await;
        };
        let link = Arc::clone(&reached);
        let ready = move || readiness(reached.get(), &health);
        let look = move || metrics::set_queue_link(link.get().map(Broker::link) == Some(Link::Up));
        exporter
            .serve_on(probe, ready, || serde_json::json!({}), look)
            .await
    })
}

async fn listen_on(address: SocketAddr) -> anyhow::Result<(Probe, MetricsExporter)> {
    let probe = Probe::bind(address).await?;
    let exporter = MetricsExporter::install(&metrics::BUCKETS_S, &[])?;
    metrics::describe();
    metrics::set_leader(false);
    Ok((probe, exporter))
}

/// Ready once the broker was reached, while the Lease, the watches and the store are healthy.
fn readiness(broker: Option<&RabbitMq>, health: &Health) -> Result<(), String> {
    match broker {
        Some(_) => health.readiness(),
        None => Err("starting".to_owned()),
    }
}
