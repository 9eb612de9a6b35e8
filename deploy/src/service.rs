//! The operator as a process: reaches cluster, store and broker, waits for its turn, works, and says how it is meanwhile.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use drover_shared::ledger::Ledger;
use drover_shared::process::{MetricsExporter, Probe, Tokens};
use drover_shared::queue::rabbitmq::RabbitMq;
use drover_shared::queue::{Broker, Link, QueueError};
use drover_shared::store::{Store, StoreError};
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};

use crate::books::LedgerBooks;
use crate::crew::Probed;
use crate::leader::{Candidate, Deposed};
use crate::operator::{Context, hints, watch, watch_nodes};
use crate::request::Request;
use crate::{metrics, objects};

/// Why the operator could not do its work (any more).
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The probe's address can't be had.
    #[error("cannot listen on {address}; give --listen another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The refusal.
        #[source]
        source: io::Error,
    },
    /// There is no cluster to work in.
    #[error("cannot find the cluster; run it in a pod with a service account, or set KUBECONFIG")]
    Cluster(#[source] Box<kube::Error>),
    /// The store was not reached.
    #[error("cannot begin without the store; check --store, the network and its credentials")]
    Store(#[source] StoreError),
    /// The broker was not reached, or refuses.
    #[error("cannot begin without the broker; check --broker, the network and its credentials")]
    Broker(#[source] QueueError),
    /// Another operator may be at work.
    #[error(transparent)]
    Deposed(#[from] Deposed),
}

/// The broker, from when it is reached on.
type Reached = Arc<OnceLock<RabbitMq>>;

/// Works until it is asked to stop.
pub async fn run(request: Request, tokens: Tokens) -> Result<(), ServiceError> {
    let reached = Reached::default();
    let answering = answer(request.listen, Arc::clone(&reached)).await?;
    tokio::select! {
        worked = serve(request, reached, tokens) => worked,
        never = answering => match never {},
    }
}

async fn serve(request: Request, reached: Reached, tokens: Tokens) -> Result<(), ServiceError> {
    let stop = tokens.soft;
    let beginning = async {
        let client = Client::try_default()
            .await
            .map_err(|error| ServiceError::Cluster(Box::new(error)))?;
        let store = Store::open_with_retry(&request.store, request.connect_timeout).await;
        let broker = RabbitMq::connect(&request.broker, &request.me, request.connect_timeout).await;
        let store = store.map_err(ServiceError::Store)?;
        let broker = broker.map_err(ServiceError::Broker)?;
        Ok::<_, ServiceError>((client, store, reached.get_or_init(|| broker).clone()))
    };
    let Some(begun) = stop.run_until_cancelled(beginning).await else {
        return Ok(());
    };
    let (client, store, broker) = begun?;
    let candidate = Candidate::new(
        client.clone(),
        &request.namespace,
        &request.lease,
        &request.me,
    );
    tracing::info!("waiting for the Lease {}", request.lease);
    if stop.run_until_cancelled(candidate.win()).await.is_none() {
        return Ok(());
    }
    metrics::leads(true);
    tracing::info!("at work in the namespace {}", request.namespace);
    let working = work(&request, client, store, broker, stop.clone());
    let ended = tokio::select! {
        worked = Box::pin(working) => worked,
        deposed = candidate.reign() => return Err(deposed.into()),
    };
    if let Err(error) = candidate.abdicate().await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(
            error,
            "the Lease could not be given back; it runs out by itself"
        );
    }
    ended
}

/// Tends pipelines until `stop`; what is under way then is finished.
async fn work(
    request: &Request,
    client: Client,
    store: Store,
    broker: RabbitMq,
    stop: tokio_util::sync::CancellationToken,
) -> Result<(), ServiceError> {
    let (nodes, node_changes) = watch_nodes(client.clone());
    let hints = hints(&broker, &request.me)
        .await
        .map_err(ServiceError::Broker)?;
    let reporter = Reporter {
        controller: objects::MANAGER.to_owned(),
        instance: Some(request.me.clone()),
    };
    let (workers, cluster) = (request.workers.clone(), client.clone());
    let context = |pipelines| Context {
        recorder: Recorder::new(cluster.clone(), reporter),
        client: cluster,
        books: Arc::new(LedgerBooks::new(Ledger::new(store))),
        crew: Arc::new(Probed),
        link: Box::new(move || broker.link()),
        workers,
        nodes,
        pipelines,
        failures: crate::operator::Failures::default(),
    };
    watch(
        client,
        &request.namespace,
        context,
        node_changes,
        hints,
        stop.cancelled_owned(),
    )
    .await;
    Ok(())
}

/// Listens where it was asked to; what is returned answers for ever.
async fn answer(
    listen: Option<SocketAddr>,
    reached: Reached,
) -> Result<impl Future<Output = Infallible>, ServiceError> {
    let refused = |address| move |source| ServiceError::Listen { address, source };
    let probe = match listen {
        Some(address) => {
            let probe = Probe::bind(address).await.map_err(refused(address))?;
            let measures = MetricsExporter::install(&metrics::BUCKETS_S, &[]);
            let measures = measures.map_err(|error| refused(address)(io::Error::other(error)))?;
            metrics::describe();
            metrics::leads(false);
            Some((probe, measures))
        }
        None => None,
    };
    Ok(async move {
        let Some((probe, measures)) = probe else {
            return std::future::pending().await;
        };
        let link = Arc::clone(&reached);
        let ready = move || judge(reached.get());
        let look = move || metrics::queue_link(link.get().map(Broker::link) == Some(Link::Up));
        measures.serve_on(probe, ready, look).await
    })
}

/// Whether it is at work, or could be. A broker that is away is no reason to start anew, nor to be replaced: conditions
/// tell of it.
fn judge(broker: Option<&RabbitMq>) -> Result<(), String> {
    match broker {
        Some(_) => Ok(()),
        None => Err("starting".to_owned()),
    }
}
