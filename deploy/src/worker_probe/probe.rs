//! Asks workers for their load.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use drover_shared::process::scrape_metrics;
use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::WorkerLoad;
use crate::objects::PORT;

/// Maximum number of concurrent requests.
const CONCURRENCY: usize = 32;

/// Asks one worker for its load.
#[async_trait]
pub trait WorkerProbe: Send + Sync {
    /// The load of the worker at the address.
    async fn load(&self, address: IpAddr) -> WorkerLoad;
}

/// Reads the metrics endpoint of each worker.
#[derive(Clone, Copy, Debug)]
pub struct HttpWorkerProbe;

#[async_trait]
impl WorkerProbe for HttpWorkerProbe {
    async fn load(&self, address: IpAddr) -> WorkerLoad {
        let worker = SocketAddr::new(address, PORT);
        let asking = tokio::task::spawn_blocking(move || scrape_metrics(worker));
        match asking.await {
            Ok(Ok(metrics)) => WorkerLoad::of(&metrics),
            Ok(Err(_)) | Err(_) => WorkerLoad::Unknown,
        }
    }
}

/// The load of every pod, by pod name; pods that are not ready count as unknown.
pub async fn probe_all(
    worker_probe: &dyn WorkerProbe,
    pods: &[Pod],
) -> BTreeMap<String, WorkerLoad> {
    let mut loads = BTreeMap::new();
    for some in pods.chunks(CONCURRENCY) {
        let asking: Vec<_> = some.iter().map(|pod| ask(worker_probe, pod)).collect();
        loads.extend(join_all(asking).await);
    }
    loads
}

async fn ask(worker_probe: &dyn WorkerProbe, pod: &Pod) -> (String, WorkerLoad) {
    let load = match address(pod) {
        Some(address) => worker_probe.load(address).await,
        None => WorkerLoad::Unknown,
    };
    (pod.name_any(), load)
}

/// The pod's address, if it is ready and not terminating.
fn address(pod: &Pod) -> Option<IpAddr> {
    if !is_ready(pod) || pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()
}

/// True if the pod is ready to take datums.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref());
    let mut conditions = conditions.unwrap_or_default().iter();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
