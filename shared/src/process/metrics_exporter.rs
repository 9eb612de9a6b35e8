//! Metrics of a process, for Prometheus.

use std::convert::Infallible;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::Value;
use tokio::time::sleep;

use super::probe::{Probe, ProbeHandlers};

/// Interval of histogram upkeep between scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The metrics of the current process, recorded from [installation](MetricsExporter::install) on. Cheap to clone.
#[derive(Clone)]
pub struct MetricsExporter(PrometheusHandle);

impl MetricsExporter {
    /// Installs the recorder, with histograms of these upper bounds, and of separate bounds for the metrics in
    /// `others`; once in a process. Recording is free before the installation.
    pub fn install(buckets: &[f64], others: &[(&str, &[f64])]) -> Result<Self, BuildError> {
        let mut recorder = PrometheusBuilder::new().set_buckets(buckets)?;
        for (name, buckets) in others {
            let name = Matcher::Full((*name).to_owned());
            recorder = recorder.set_buckets_for_metric(name, buckets)?;
        }
        Ok(Self(recorder.install_recorder()?))
    }

    /// Serves all metrics on `probe`, for ever: `ready` tells if the process accepts work, `about` gives facts about the
    /// process as a JSON object, and `look` updates the metrics that are measured only on demand.
    pub async fn serve_on(
        self,
        probe: Probe,
        ready: impl Fn() -> Result<(), String> + Send + Sync + 'static,
        about: impl Fn() -> Value + Send + Sync + 'static,
        look: impl Fn() + Send + Sync + 'static,
    ) -> Infallible {
        let shown = self.clone();
        let handlers = ProbeHandlers {
            ready: Box::new(ready),
            about: Box::new(about),
            metrics: Box::new(move || {
                look();
                shown.0.render()
            }),
        };
        tokio::select! {
            never = probe.serve(handlers) => never,
            never = self.run_upkeep_forever() => never,
        }
    }

    /// Moves recorded samples into the histograms periodically, so memory stays bounded without scrapes.
    async fn run_upkeep_forever(&self) -> Infallible {
        loop {
            sleep(UPKEEP_INTERVAL).await;
            self.0.run_upkeep();
        }
    }
}
