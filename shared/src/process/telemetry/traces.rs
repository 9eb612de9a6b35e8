//! Traces of datums, from publishing to commit, for an OTLP collector.
//!
//! The variables are those of OpenTelemetry: `OTEL_EXPORTER_OTLP_ENDPOINT` enables tracing, `OTEL_TRACES_SAMPLER` and
//! `OTEL_TRACES_SAMPLER_ARG` set the sampling. Each datum is a separate trace, so a sample of a job is a sample of its
//! datums.

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

use crate::trace_parent::TraceParent;

/// The target of spans for traces only, not for the log.
pub const TRACE_TARGET: &str = "drover_trace";

/// The variables with the address of a collector.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];
/// The field of the W3C recommendation on trace contexts.
const PARENT: &str = "traceparent";

/// The exporter to the collector in the environment; none without a collector. `service` is the service name.
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

/// The tracer of a provider.
pub(super) fn tracer(provider: &SdkTracerProvider) -> Tracer {
    provider.tracer("drover")
}

/// Makes `span` a child of the span that `parent` names.
pub fn join_trace(span: &Span, parent: &TraceParent) {
    if !span.is_disabled() {
        // Fails only for a span that is not traced.
        let _ = span.set_parent(context_of(parent.as_str()));
    }
}

fn context_of(parent: &str) -> Context {
    let carrier = HashMap::from([(PARENT.to_owned(), parent.to_owned())]);
    TraceContextPropagator::new().extract(&carrier)
}

/// The context of a span, as sent in a message and given to commands; none if the span is not traced.
pub fn trace_context(span: &Span) -> Option<TraceParent> {
    // The common case: called for every message.
    if span.is_disabled() {
        return None;
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
    carrier.remove(PARENT)?.parse().ok()
}

/// Continues the trace of a message in `span`, and records the message's waiting time.
pub fn continue_trace(span: &Span, parent: &str, published: Timestamp) {
    let context = context_of(parent);
    record_wait(&context, published);
    // A malformed parent is ignored.
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
