//! Telemetry of a process: events to stderr, spans to a collector.

mod flat;
mod sentences;
#[cfg(test)]
mod testing;
mod traces;

use std::io::IsTerminal;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use flat::FlatJson;
use sentences::Sentences;
pub use traces::{TRACE_TARGET, continue_trace, join_trace, trace_context};

/// How events are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// A line with a time stamp, for people who look after a service.
    #[default]
    Text,
    /// An object a line, for machines.
    Json,
    /// A sentence, without time stamp and repetition, for the person who typed a command.
    Sentences,
}

/// Flushes the last spans on drop; keep the value until the process ends.
#[derive(Debug, Default)]
#[must_use]
pub struct Telemetry(Option<SdkTracerProvider>);

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.0
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!("the last spans did not reach the collector: {error}");
        }
    }
}

/// Starts writing events to stderr, and sending spans to a collector if the environment names one, as `service`.
/// `filter` is the user's filter, for example `debug` or `drover_worker=debug,warn`; malformed directives are ignored.
/// Does nothing if the process already has a subscriber, as in tests.
pub fn start(service: &'static str, filter: &str, format: Format) -> Telemetry {
    let (provider, problem) = match traces::provider(service) {
        None => (None, None),
        Some(Ok(provider)) => (Some(provider), None),
        Some(Err(problem)) => (None, Some(problem)),
    };
    let spans = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(traces::tracer(provider))
            .with_location(false)
            .with_threads(false)
            .with_filter(LevelFilter::INFO)
            .with_filter(filter_fn(|event| event.target().starts_with("drover")))
    });
    let _ = tracing_subscriber::registry()
        .with(spans)
        .with(log(filter, format))
        .try_init();
    if let Some(problem) = problem {
        tracing::warn!("no traces are sent: {problem}");
    }
    Telemetry(provider)
}

/// The layer that writes events.
fn log<S>(filter: &str, format: Format) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    // lapin logs messages and, at finer levels, passwords. The `queue` module logs the relevant events of lapin.
    let is_loggable =
        filter_fn(|event| !event.target().starts_with("lapin") && event.target() != TRACE_TARGET);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer: Box<dyn Layer<S> + Send + Sync> = match format {
        Format::Text => Box::new(
            layer
                .with_ansi(std::io::stderr().is_terminal())
                .with_target(false),
        ),
        Format::Json => Box::new(layer.fmt_fields(JsonFields::new()).event_format(FlatJson)),
        Format::Sentences => Box::new(layer.event_format(Sentences::default())),
    };
    Box::new(
        layer
            .with_filter(EnvFilter::new(filter))
            .with_filter(is_loggable),
    )
}
