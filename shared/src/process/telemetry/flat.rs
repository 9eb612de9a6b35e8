//! An event as one flat JSON object for each line: the fields of the event and of the enclosing spans side by side, so
//! that `job.id` and `datum.index` are always found in the same place.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

use crate::causes::with_causes;

/// The format; fields of inner spans win over fields of outer spans.
pub(super) struct FlatJson;

impl<S> FormatEvent<S, JsonFields> for FlatJson
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut object = Map::new();
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<JsonFields>>()
                && let Ok(Value::Object(fields)) = serde_json::from_str(&fields.fields)
            {
                object.extend(fields);
            }
        }
        event.record(&mut Fields(&mut object));
        let metadata = event.metadata();
        object.insert("timestamp".into(), Timestamp::now().to_string().into());
        object.insert("level".into(), metadata.level().as_str().into());
        object.insert("target".into(), metadata.target().into());
        writeln!(writer, "{}", Value::Object(object))
    }
}

/// Takes down the fields of an event.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    /// An error with its chain of sources.
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.insert(field, with_causes(value));
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tracing_subscriber::layer::SubscriberExt;

    use super::super::testing::Kept;
    use super::*;

    #[test]
    fn an_event_carries_its_fields_and_those_of_its_spans_in_one_object() {
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .fmt_fields(JsonFields::new())
            .event_format(FlatJson);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let worker = tracing::info_span!("worker", worker.id = "w-1");
            let _worker = worker.enter();
            let datum = tracing::info_span!("datum", job.id = %"j", datum.index = 7_u64);
            let _datum = datum.enter();
            let cause = io::Error::other("no \"disk\"");
            tracing::warn!(
                error = &cause as &dyn std::error::Error,
                size_bytes = 3,
                "it\nfailed"
            );
        });
        let text = kept.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        let mut object: Map<String, Value> = serde_json::from_str(&text).unwrap();
        assert!(
            object.remove("timestamp").is_some_and(|it| it
                .as_str()
                .unwrap()
                .parse::<Timestamp>()
                .is_ok())
        );
        assert!(object.remove("target").is_some());
        let expected = serde_json::json!({
            "level": "WARN", "message": "it\nfailed", "error": "no \"disk\"", "size_bytes": 3,
            "worker.id": "w-1", "job.id": "j", "datum.index": 7,
        });
        assert_eq!(Value::Object(object), expected);
    }
}
