//! The operator's life: connect to cluster, store and broker, acquire the Lease, reconcile, release the Lease.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use drover_shared::ledger::{LeaderTerm, Ledger};
use drover_shared::process::{MetricsExporter, Probe, Tokens};
use drover_shared::queue::rabbitmq::{ConnectOptions, RabbitMq};
use drover_shared::queue::{Broker, Link, QueueError};
use drover_shared::store::{Store, StoreError};
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};

use crate::health::Health;
use crate::job_store::LedgerJobStore;
use crate::leader::{LeaseCandidate, LeaseLost};
use crate::operator::{Context, hints, watch, watch_nodes};
use crate::process::config::OperatorConfig;
use crate::worker_probe::HttpWorkerProbe;
use crate::{metrics, objects};

/// A fatal error of the operator.
#[derive(Debug, thiserror::Error)]
pub enum OperatorFailure {
    /// The probe's address cannot be bound.
    #[error("cannot listen on {address}; give --listen another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// No Kubernetes cluster is configured.
    #[error("cannot find the cluster; run it in a pod with a service account, or set KUBECONFIG")]
    Cluster(#[source] Box<kube::Error>),
    /// The store was not reached.
    #[error("cannot start without the store; check --store, the network and its credentials")]
    Store(#[source] StoreError),
    /// The broker was not reached, or refused the connection.
    #[error("cannot start without the broker; check --broker, the network and its credentials")]
    Broker(#[source] QueueError),
    /// Another operator may lead.
    #[error(transparent)]
    LeaseLost(#[from] LeaseLost),
}

/// Interval between two probes of the broker's alarms.
const ALARM_INTERVAL: Duration = Duration::from_secs(10);

/// The broker, once it is connected.
type BrokerCell = Arc<OnceLock<RabbitMq>>;

/// Runs until the process is asked to stop.
pub async fn run(config: OperatorConfig, tokens: Tokens) -> Result<(), OperatorFailure> {
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
) -> Result<(), OperatorFailure> {
    let stop = tokens.soft;
    let connecting = async {
        let client = Client::try_default()
            .await
            .map_err(|error| OperatorFailure::Cluster(Box::new(error)))?;
        let options = ConnectOptions::within(config.connect_timeout);
        let store = Store::open_with_retry(&config.store, config.connect_timeout).await;
        let broker = RabbitMq::connect(&config.broker, &config.me, options).await;
        let store = store.map_err(OperatorFailure::Store)?;
        let broker = broker.map_err(OperatorFailure::Broker)?;
        Ok::<_, OperatorFailure>((client, store, reached.get_or_init(|| broker).clone()))
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
) -> Result<(), OperatorFailure> {
    let (nodes, node_changes) = watch_nodes(client.clone());
    let hints = hints(&broker, &config.me)
        .await
        .map_err(OperatorFailure::Broker)?;
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
        failures: crate::operator::FailureCounts::default(),
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
) -> Result<impl Future<Output = Infallible>, OperatorFailure> {
    let refused = |address| move |source| OperatorFailure::Listen { address, source };
    let probe = match listen {
        Some(address) => {
            let probe = Probe::bind(address).await.map_err(refused(address))?;
            let exporter = MetricsExporter::install(&metrics::BUCKETS_S, &[]);
            let exporter = exporter.map_err(|error| refused(address)(io::Error::other(error)))?;
            metrics::describe();
            metrics::set_leader(false);
            Some((probe, exporter))
        }
        None => None,
    };
    Ok(async move {
        let Some((probe, exporter)) = probe else {
            return std::future::pending().await;
        };
        let link = Arc::clone(&reached);
        let ready = move || readiness(reached.get(), &health);
        let look = move || metrics::set_queue_link(link.get().map(Broker::link) == Some(Link::Up));
        exporter.serve_on(probe, ready, look).await
    })
}

/// Ready once the broker was reached, while the Lease, the watches and the store are healthy.
fn readiness(broker: Option<&RabbitMq>, health: &Health) -> Result<(), String> {
    match broker {
        Some(_) => health.readiness(),
        None => Err("starting".to_owned()),
    }
}
