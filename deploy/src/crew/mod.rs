//! The workers that there are, as far as they can tell of themselves: who is at a datum and who is idle.

mod cost;

pub use cost::{COST, Standing, cost, costs_to_set};

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use drover_shared::process::scrape_metrics;
use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::objects::PORT;

/// The measure in which a worker tells how many of its slots are in use.
const BUSY: &str = "drover_slots_busy";

/// The most workers that are asked at the same time.
const AT_ONCE: usize = 32;

/// Who asks workers how they are.
#[async_trait]
pub trait Crew: Send + Sync {
    /// Whether the worker at this address is at a datum; none if it does not say.
    async fn is_busy(&self, address: IpAddr) -> Option<bool>;
}

/// Asks workers by the probe that each of them has.
#[derive(Clone, Copy, Debug)]
pub struct Probed;

#[async_trait]
impl Crew for Probed {
    async fn is_busy(&self, address: IpAddr) -> Option<bool> {
        let worker = SocketAddr::new(address, PORT);
        let asking = tokio::task::spawn_blocking(move || scrape_metrics(worker));
        busy(&asking.await.ok()?.ok()?)
    }
}

/// What all ready workers among these pods say of themselves, by the names of the pods.
pub async fn ask_all(crew: &dyn Crew, pods: &[Pod]) -> BTreeMap<String, Standing> {
    let mut standings = BTreeMap::new();
    for some in pods.chunks(AT_ONCE) {
        let asking: Vec<_> = some.iter().map(|pod| ask(crew, pod)).collect();
        standings.extend(join_all(asking).await);
    }
    standings
}

async fn ask(crew: &dyn Crew, pod: &Pod) -> (String, Standing) {
    let standing = match address(pod) {
        Some(address) => Standing::from(crew.is_busy(address).await),
        None => Standing::Unknown,
    };
    (pod.name_any(), standing)
}

/// Where a pod can be asked: if it is ready, and not on its way out.
fn address(pod: &Pod) -> Option<IpAddr> {
    if !is_ready(pod) || pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()
}

/// Whether a pod takes work.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref());
    let mut conditions = conditions.unwrap_or_default().iter();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether a worker's measures tell of a slot in use.
fn busy(measures: &str) -> Option<bool> {
    let value = measures
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
        for (measures, expected) in rows {
            assert_eq!(busy(&format!("{help}{measures}")), expected, "{measures}");
        }
    }
}
