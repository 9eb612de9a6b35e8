//! Traces: where a datum's time goes, from its publication to its commit, for a collector that speaks OTLP.
//!
//! The variables are those of OpenTelemetry: `OTEL_EXPORTER_OTLP_ENDPOINT` switches tracing on, `OTEL_TRACES_SAMPLER` and
//! `OTEL_TRACES_SAMPLER_ARG` say how much of it. Each datum is a trace of its own, so a sample of a job is a sample of
//! its datums.

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, global};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The target of spans that are for traces alone, and not for the log.
pub const TRACE_TARGET: &str = "drover_trace";

/// What names a collector.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];
/// The field that W3C's recommendation on trace contexts names.
const PARENT: &str = "traceparent";

/// Sends spans to the collector that the environment names; none if it names none. `service` is who we are there.
pub(super) fn provider(service: &'static str) -> Option<Result<SdkTracerProvider, String>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the variables are OpenTelemetry's own, read by its exporter"
    )]
    let is_named = ENDPOINTS
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    is_named.then(|| {
        crate::tls::install();
        let exporter = SpanExporter::builder().with_http().build();
        let exporter = exporter.map_err(|error| error.to_string())?;
        let resource = Resource::builder().with_service_name(service).build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        global::set_tracer_provider(provider.clone());
        Ok(provider)
    })
}

/// What makes spans of tracing's into spans of the provider's.
pub(super) fn tracer(provider: &SdkTracerProvider) -> Tracer {
    provider.tracer("drover")
}

/// The context of a span, as it travels in a message; none if it is not traced.
pub fn trace_context(span: &Span) -> Option<String> {
    // The common case: this is asked for every message.
    if span.is_disabled() {
        return None;
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
    carrier.remove(PARENT)
}

/// Makes `span` go on with the trace that a message carried, and tells there how long the message waited.
pub fn continue_trace(span: &Span, parent: &str, published: Timestamp) {
    let carrier = HashMap::from([(PARENT.to_owned(), parent.to_owned())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    record_wait(&context, published);
    // It is the same whether the parent makes sense.
    let _ = span.set_parent(context);
}

fn record_wait(context: &Context, published: Timestamp) {
    let tracer = global::tracer("drover");
    let since_epoch = Duration::try_from(published.duration_since(Timestamp::UNIX_EPOCH));
    let since_epoch = since_epoch.unwrap_or_default();
    let queued = tracer
        .span_builder("queue")
        .with_start_time(UNIX_EPOCH + since_epoch);
    queued.start_with_context(&tracer, context).end();
}
