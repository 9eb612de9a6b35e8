//! Common behaviour of all Drover processes: start, stop, telemetry.

mod host;
mod lifecycle;
mod metrics_exporter;
mod probe;
mod probe_client;
mod readiness;
pub mod telemetry;
mod version;
mod web_client;

pub use host::{host_name, process_name};
pub use lifecycle::{Lifecycle, ShutdownOutcome, Tokens};
pub use metrics_exporter::MetricsExporter;
pub use probe::Probe;
pub use probe_client::{ProbeError, probe_ready, scrape_metrics};
pub use readiness::{Readiness, check_writable};
pub use version::describe_build;
pub use web_client::{WebClient, WebError};
