//! What a process counts and measures, for Prometheus.

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Everything that is measured in this process, from the moment it is [kept](Measures::keep). Cheap to clone.
#[derive(Clone)]
pub struct Measures(PrometheusHandle);

impl Measures {
    /// Keeps what is measured from now on, with histograms of these upper bounds, and of others for those that `others`
    /// names; once in a process. Until then measuring costs nothing and leads to nothing.
    pub fn keep(buckets: &[f64], others: &[(&str, &[f64])]) -> Result<Self, BuildError> {
        let mut recorder = PrometheusBuilder::new().set_buckets(buckets)?;
        for (name, buckets) in others {
            let name = Matcher::Full((*name).to_owned());
            recorder = recorder.set_buckets_for_metric(name, buckets)?;
        }
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
