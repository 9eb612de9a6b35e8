//! What a process counts and measures, for Prometheus.

use std::convert::Infallible;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::sleep;

use super::probe::{Probe, ProbeHandlers};

/// How often what was measured is sorted, if nobody asks for it.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Everything that is measured in this process, from the moment it is [kept](MetricsExporter::install). Cheap to clone.
#[derive(Clone)]
pub struct MetricsExporter(PrometheusHandle);

impl MetricsExporter {
    /// Keeps what is measured from now on, with histograms of these upper bounds, and of others for those that `others`
    /// names; once in a process. Until then measuring costs nothing and leads to nothing.
    pub fn install(buckets: &[f64], others: &[(&str, &[f64])]) -> Result<Self, BuildError> {
        let mut recorder = PrometheusBuilder::new().set_buckets(buckets)?;
        for (name, buckets) in others {
            let name = Matcher::Full((*name).to_owned());
            recorder = recorder.set_buckets_for_metric(name, buckets)?;
        }
        Ok(Self(recorder.install_recorder()?))
    }

    /// ProbeHandlers on `probe` with all of it, for ever: `ready` tells whether work can be given to the process, and `look`
    /// measures what is measured only when somebody asks.
    pub async fn serve_on(
        self,
        probe: Probe,
        ready: impl Fn() -> Result<(), String> + Send + Sync + 'static,
        look: impl Fn() + Send + Sync + 'static,
    ) -> Infallible {
        let shown = self.clone();
        let handlers = ProbeHandlers {
            ready: Box::new(ready),
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

    /// Sorts what was measured into the histograms, again and again, so that memory stays bounded when nobody asks.
    async fn run_upkeep_forever(&self) -> Infallible {
        loop {
            sleep(UPKEEP_INTERVAL).await;
            self.0.run_upkeep();
        }
    }
}
