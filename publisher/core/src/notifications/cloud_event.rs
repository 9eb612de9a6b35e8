//! Pure: an event of a job or pipeline as a `CloudEvent` 1.0 in JSON.

use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::{FailureGroups, JobRecord};
use drover_shared::pipeline::NotifyEvent;
use jiff::Timestamp;
use serde::Serialize;

/// Causes of failures in an event, at most.
const MOST_CAUSES: usize = 5;

/// An event that is about to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EventView {
    pub(super) event: NotifyEvent,
    /// The same for every try and every receiver.
    pub(super) id: String,
    pub(super) time: Timestamp,
    pub(super) pipeline: PipelineName,
    /// The job; none in an event of a pipeline.
    pub(super) job: Option<JobRecord>,
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
    job: Option<&'a JobRecord>,
}

#[derive(Serialize)]
struct CauseView {
    count: u64,
    cause: String,
    datums: Vec<u64>,
}

impl EventView {
    /// The bytes of the document.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let pipeline = self.pipeline.as_str();
        let (about, subject) = match &self.job {
            Some(job) => ("job", job.id.to_string()),
            None => ("pipeline", pipeline.to_owned()),
        };
        let causes = self.failures.by_count().into_iter().take(MOST_CAUSES);
        serde_json::to_vec(&CloudEvent {
            specversion: "1.0",
            id: &self.id,
            source: format!("/pipelines/{pipeline}"),
            kind: format!("dev.drover.{about}.{}", self.event.name()),
            subject,
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
                job: self.job.as_ref(),
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

/// The id of a standstill of a pipeline that began at a moment.
pub(super) fn standstill_id(pipeline: &PipelineName, since: Timestamp) -> String {
    format!("{pipeline}.standstill.{}", since.as_second())
}
