//! What a process counts and measures, for Prometheus.

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

/// Everything that is measured in this process, from the moment it is [kept](Measures::keep). Cheap to clone.
#[derive(Clone)]
pub struct Measures(PrometheusHandle);

impl Measures {
    /// Keeps what is measured from now on, with histograms of these upper bounds; once in a process. Until then
    /// measuring costs nothing and leads to nothing.
    pub fn keep(buckets: &[f64]) -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new().set_buckets(buckets)?;
        Ok(Self(recorder.install_recorder()?))
    }

    /// All of it, in Prometheus' text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Sorts what was measured into the histograms; every few seconds, so that memory stays bounded when nobody asks.
    pub fn tidy(&self) {
        self.0.run_upkeep();
    }
}
