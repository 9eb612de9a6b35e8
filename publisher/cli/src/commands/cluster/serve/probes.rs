//! Health checks and metrics of `drover serve`.

use anyhow::Context as _;
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use drover_shared::process::{MetricsExporter, Probe, Readiness, process_name};
use drover_shared::queue::Link;
use drover_shared::store::Store;

use super::work::BrokerCell;
use crate::args::Serve;
use drover_core::leader::metrics;

/// Binds the probe, if `--listen` is given.
pub(crate) async fn bind(typed: &Serve) -> anyhow::Result<Option<Probe>> {
    let Some(address) = typed.listen else {
        return Ok(None);
    };
    let probe = Probe::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; give --listen another address"))?;
    Ok(Some(probe))
}

/// Answers probes, if there is a listener.
pub(crate) async fn answer(
    probe: Option<Probe>,
    store: &Store,
    reached: &BrokerCell,
) -> anyhow::Result<Infallible> {
    let Some(probe) = probe else {
        return pending().await;
    };
    let of_requests = (
        drover_api::metrics::SECONDS,
        &drover_api::metrics::BUCKETS_S[..],
    );
    let exporter =
        MetricsExporter::install(&metrics::BUCKETS_S, &[of_requests]).context("cannot measure")?;
    metrics::describe();
    drover_core::notifications::describe();
    drover_api::metrics::describe();
    let (ready, linked) = (Arc::clone(reached), Arc::clone(reached));
    let readiness = Readiness::default();
    let watched = readiness.clone();
    let ready = move || judge(ready.get().map(|broker| broker.link()), readiness.problem());
    let look = move || {
        metrics::queue_link(linked.get().map(|broker| broker.link()) == Some(Link::Up));
    };
    let broker = || reached.get().map(Arc::clone);
    let who = process_name();
    Ok(tokio::select! {
        never = exporter.serve_on(probe, ready, || serde_json::json!({}), look) => never,
        never = watched.watch(store, &who, broker) => never,
    })
}

/// The readiness: an error says why jobs cannot be coordinated.
fn judge(link: Option<Link>, problem: Option<String>) -> Result<(), String> {
    match link {
        None => Err("starting".to_owned()),
        Some(Link::Up) => problem.map_or(Ok(()), Err),
        Some(Link::Down { why }) => Err(format!("the broker cannot be reached: {why}")),
        Some(Link::Blocked { why }) => Err(format!("the broker is blocked: {why}")),
    }
}
