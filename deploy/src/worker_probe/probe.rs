//! Asks workers for their utilization.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use drover_shared::process::scrape_metrics;
use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::Utilization;
use crate::objects::PORT;

/// The worker's gauge of busy slots.
const BUSY: &str = "drover_slots_busy";

/// Maximum number of concurrent requests.
const CONCURRENCY: usize = 32;

/// Asks one worker for its utilization.
#[async_trait]
pub trait WorkerProbe: Send + Sync {
    /// True if the worker at the address is busy; `None` without an answer.
    async fn is_busy(&self, address: IpAddr) -> Option<bool>;
}

/// Reads the metrics endpoint of each worker.
#[derive(Clone, Copy, Debug)]
pub struct HttpWorkerProbe;

#[async_trait]
impl WorkerProbe for HttpWorkerProbe {
    async fn is_busy(&self, address: IpAddr) -> Option<bool> {
        let worker = SocketAddr::new(address, PORT);
        let asking = tokio::task::spawn_blocking(move || scrape_metrics(worker));
        busy(&asking.await.ok()?.ok()?)
    }
}

/// The utilization of every pod, by pod name; pods that are not ready count as unknown.
pub async fn probe_all(
    worker_probe: &dyn WorkerProbe,
    pods: &[Pod],
) -> BTreeMap<String, Utilization> {
    let mut utilizations = BTreeMap::new();
    for some in pods.chunks(CONCURRENCY) {
        let asking: Vec<_> = some.iter().map(|pod| ask(worker_probe, pod)).collect();
        utilizations.extend(join_all(asking).await);
    }
    utilizations
}

async fn ask(worker_probe: &dyn WorkerProbe, pod: &Pod) -> (String, Utilization) {
    let utilization = match address(pod) {
        Some(address) => Utilization::from(worker_probe.is_busy(address).await),
        None => Utilization::Unknown,
    };
    (pod.name_any(), utilization)
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

/// True if the metrics show a busy slot.
fn busy(metrics: &str) -> Option<bool> {
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix(BUSY)?.strip_prefix(' '))?;
    Some(value.trim().parse::<f64>().ok()? > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_s_measures_tell_whether_it_is_busy() {
        let help = "# HELP drover_slots_busy slots in use\n# TYPE drover_slots_busy gauge\n";
        let rows = [
            ("drover_slots 4\ndrover_slots_busy 2\n", Some(true)),
            ("drover_slots_busy 0\n", Some(false)),
            ("drover_slots 4\n", None),
            ("drover_slots_busy much\n", None),
            ("", None),
        ];
        for (metrics, expected) in rows {
            assert_eq!(busy(&format!("{help}{metrics}")), expected, "{metrics}");
        }
    }
}
