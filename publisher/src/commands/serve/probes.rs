//! Health checks and metrics of `drover serve`.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::process::{Answers, Measures, Probe};
use drover_shared::queue::Link;
use tokio::time::sleep;

use super::work::Reached;
use crate::args::Serve;
use crate::commands::CommandError;
use crate::http;
use crate::steward::metrics;

/// How often what was measured is put in order.
const TIDY_EVERY: Duration = Duration::from_secs(5);

/// The probe, if there is to be one.
pub(super) async fn bind(typed: &Serve) -> Result<Option<Probe>, CommandError> {
    let Some(address) = typed.listen else {
        return Ok(None);
    };
    let refused = |source| CommandError::Listen { address, source };
    Probe::bind(address).await.map(Some).map_err(refused)
}

/// Answers probes, if there is a place for them, for ever.
pub(super) async fn answer(
    probe: Option<Probe>,
    reached: &Reached,
) -> Result<Infallible, CommandError> {
    let Some(probe) = probe else {
        return pending().await;
    };
    let of_requests = (http::metrics::SECONDS, &http::metrics::BUCKETS_S[..]);
    let recorder = Measures::keep(&metrics::BUCKETS_S, &[of_requests])
        .map_err(|error| CommandError::from(std::io::Error::other(error)))?;
    metrics::describe();
    http::metrics::describe();
    let (ready, measured, shown) = (Arc::clone(reached), Arc::clone(reached), recorder.clone());
    let answers = Answers {
        ready: Box::new(move || judge(ready.get().map(|broker| broker.link()))),
        metrics: Box::new(move || {
            metrics::queue_link(measured.get().map(|broker| broker.link()) == Some(Link::Up));
            shown.render()
        }),
    };
    tokio::select! {
        never = probe.serve(answers) => Ok(never),
        never = tidy(&recorder) => match never {},
    }
}

/// Keeps memory bounded where nobody asks for what is measured: every request of the page adds to it.
async fn tidy(measures: &Measures) -> Infallible {
    loop {
        sleep(TIDY_EVERY).await;
        measures.tidy();
    }
}

/// Whether jobs can be seen through; if not, why.
fn judge(link: Option<Link>) -> Result<(), String> {
    match link {
        None => Err("starting".to_owned()),
        Some(Link::Up) => Ok(()),
        Some(Link::Down { why }) => Err(format!("the broker is out of reach: {why}")),
        Some(Link::Blocked { why }) => Err(format!("the broker is blocked: {why}")),
    }
}
