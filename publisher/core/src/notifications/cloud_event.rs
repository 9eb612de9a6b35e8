//! Pure: an event of a job as a `CloudEvent` 1.0 in JSON.

use drover_shared::id::JobId;
use drover_shared::job::{FailureGroups, JobRecord};
use drover_shared::pipeline::NotifyEvent;
use jiff::Timestamp;
use serde::Serialize;

/// Causes of failures in an event, at most.
const MOST_CAUSES: usize = 5;

/// An event that is about to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct JobEventView {
    pub(super) event: NotifyEvent,
    /// The same for every try and every receiver.
    pub(super) id: String,
    pub(super) time: Timestamp,
    pub(super) job: JobRecord,
    /// The obstacle, or the reason of a failure.
    pub(super) why: Option<String>,
    pub(super) failures: FailureGroups,
}

/// The document. Its names are a contract (`docs/operations.md`).
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: &'a str,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    time: Timestamp,
    datacontenttype: &'static str,
    data: EventData<'a>,
}

#[derive(Serialize)]
struct EventData<'a> {
    event: NotifyEvent,
    pipeline: &'a str,
    why: Option<&'a str>,
    causes: Vec<CauseView>,
    job: &'a JobRecord,
}

#[derive(Serialize)]
struct CauseView {
    count: u64,
    cause: String,
    datums: Vec<u64>,
}

impl JobEventView {
    /// The bytes of the document.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let pipeline = self.job.pipeline.as_str();
        let causes = self.failures.by_count().into_iter().take(MOST_CAUSES);
        serde_json::to_vec(&CloudEvent {
            specversion: "1.0",
            id: &self.id,
            source: format!("/pipelines/{pipeline}"),
            kind: format!("dev.drover.job.{}", self.event.name()),
            subject: self.job.id.to_string(),
            time: self.time,
            datacontenttype: "application/json",
            data: EventData {
                event: self.event,
                pipeline,
                why: self.why.as_deref(),
                causes: causes
                    .map(|group| CauseView {
                        count: group.count,
                        cause: group.to_string(),
                        datums: group.samples.clone(),
                    })
                    .collect(),
                job: &self.job,
            },
        })
    }
}

/// The id of an event; `standstills` counts those of the job so far.
pub(super) fn event_id(job: JobId, event: NotifyEvent, standstills: u32) -> String {
    match event {
        NotifyEvent::Standstill => format!("{job}.standstill.{standstills}"),
        _ => format!("{job}.{}", event.name()),
    }
}
