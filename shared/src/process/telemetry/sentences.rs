//! An event as a sentence for the person who typed the command: no time stamp, no fields, and no repetition.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::causes::with_causes;

/// How long a place of the code is silent after it has spoken: a full disk has the same to say for every datum.
const SILENCE: Duration = Duration::from_secs(30);

/// The format.
#[derive(Default)]
pub(super) struct Sentences {
    spoken: Mutex<HashMap<Identifier, Spoken>>,
}

/// When a place of the code spoke last, and how often it has been silenced since.
struct Spoken {
    at: Instant,
    silenced: u64,
}

impl Sentences {
    /// How many events of the place were silenced since the last told event; none if the present event is silenced, too.
    fn turn(&self, place: Identifier, now: Instant) -> Option<u64> {
        let mut spoken = self.spoken.lock().unwrap_or_else(PoisonError::into_inner);
        match spoken.get_mut(&place) {
            Some(last) if now.saturating_duration_since(last.at) < SILENCE => {
                last.silenced += 1;
                None
            }
            _ => {
                let now = Spoken {
                    at: now,
                    silenced: 0,
                };
                let before = spoken.insert(place, now);
                Some(before.map_or(0, |before| before.silenced))
            }
        }
    }
}

impl<S, F> FormatEvent<S, F> for Sentences
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, F>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let Some(silenced) = self.turn(metadata.callsite(), Instant::now()) else {
            return Ok(());
        };
        let mut parts = Parts::default();
        event.record(&mut parts);
        let kind = match *metadata.level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            _ => "note",
        };
        write!(writer, "{kind}: {}", parts.message)?;
        if let Some(error) = parts.error {
            write!(writer, ": {error}")?;
        }
        if silenced > 0 {
            write!(writer, " ({silenced} more like it)")?;
        }
        writeln!(writer)
    }
}

/// The parts of an event that a person reads.
#[derive(Default)]
struct Parts {
    message: String,
    error: Option<String>,
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }

    fn record_error(&mut self, _: &Field, value: &(dyn std::error::Error + 'static)) {
        self.error = Some(with_causes(value));
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tracing_subscriber::layer::SubscriberExt;

    use super::super::testing::Kept;
    use super::*;

    #[test]
    fn a_person_reads_one_sentence_for_many_events_of_one_place() {
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .event_format(Sentences::default());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let cause = io::Error::other("the disk is full");
            for datum in 0..3 {
                let error = &cause as &dyn std::error::Error;
                tracing::warn!(error, job.id = "j", "datum {datum} is handed back");
            }
            tracing::error!("something else");
        });
        let text = kept.text();
        assert_eq!(
            text,
            "warning: datum 0 is handed back: the disk is full\nerror: something else\n"
        );
    }

    #[test]
    fn a_place_speaks_again_after_a_while_and_tells_what_was_left_out() {
        let sentences = Sentences::default();
        let place =
            tracing::callsite!(name: "here", kind: tracing::metadata::Kind::EVENT, fields: message);
        let place = tracing::callsite::Callsite::metadata(place).callsite();
        let begin = Instant::now();
        assert_eq!(sentences.turn(place.clone(), begin), Some(0));
        assert_eq!(sentences.turn(place.clone(), begin), None);
        assert_eq!(sentences.turn(place, begin + SILENCE), Some(1));
    }
}
