//! Health checks and metrics of `drover serve`.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use drover_shared::process::{MetricsExporter, Probe};
use drover_shared::queue::Link;

use super::work::BrokerCell;
use crate::args::Serve;
use crate::commands::CommandError;
use drover_core::leader::metrics;

/// Binds the probe, if `--listen` is given.
pub(crate) async fn bind(typed: &Serve) -> Result<Option<Probe>, CommandError> {
    let Some(address) = typed.listen else {
        return Ok(None);
    };
    let refused = |source| CommandError::Listen { address, source };
    Probe::bind(address).await.map(Some).map_err(refused)
}

/// Answers probes, if there is a listener.
pub(crate) async fn answer(
    probe: Option<Probe>,
    reached: &BrokerCell,
) -> Result<Infallible, CommandError> {
    let Some(probe) = probe else {
        return pending().await;
    };
    let of_requests = (
        drover_api::metrics::SECONDS,
        &drover_api::metrics::BUCKETS_S[..],
    );
    let measures = MetricsExporter::install(&metrics::BUCKETS_S, &[of_requests])
        .map_err(|error| CommandError::from(std::io::Error::other(error)))?;
    metrics::describe();
    drover_api::metrics::describe();
    let (ready, linked) = (Arc::clone(reached), Arc::clone(reached));
    let ready = move || judge(ready.get().map(|broker| broker.link()));
    let look = move || {
        metrics::queue_link(linked.get().map(|broker| broker.link()) == Some(Link::Up));
    };
    Ok(measures.serve_on(probe, ready, look).await)
}

/// The readiness: an error says why jobs cannot be coordinated.
fn judge(link: Option<Link>) -> Result<(), String> {
    match link {
        None => Err("starting".to_owned()),
        Some(Link::Up) => Ok(()),
        Some(Link::Down { why }) => Err(format!("the broker cannot be reached: {why}")),
        Some(Link::Blocked { why }) => Err(format!("the broker is blocked: {why}")),
    }
}
