//! The envelope: kind, version, size limit.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Control, LeaderToken, Report, Task};

/// No message is larger. `RabbitMQ`'s own limit is 16 MiB from 4.0 on.
pub const SIZE_LIMIT: usize = 16 * 1024 * 1024;

/// The version written by this Drover. A change that an old reader would misunderstand takes the next number; samples
/// of every version are kept in `tests/wire/`.
const VERSION: u32 = 1;

const TASK: &str = "task";
const REPORT: &str = "report";
const REPORTS: &str = "reports";
const CONTROL: &str = "control";
const LEADER_TOKEN: &str = "baton";

/// A decoded message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Datums to do.
    Task(Task),
    /// Reports about jobs of one pipeline.
    Reports(Vec<Report>),
    /// A hint to all.
    Control(Control),
    /// The leader token of a pipeline.
    LeaderToken(LeaderToken),
}

/// Why a message is not understood, or not made.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not JSON, or not of the shape of its kind.
    #[error("message of {size} bytes cannot be decoded")]
    Malformed {
        /// The size in bytes.
        size: usize,
        /// The parse error.
        #[source]
        source: serde_json::Error,
    },
    /// A kind or version of a different Drover.
    #[error(
        "message kind {kind:?} version {version} is unknown here; bring all Drover processes to one version"
    )]
    Unknown {
        /// The kind in the message.
        kind: String,
        /// The version in the message.
        version: u32,
    },
    /// Larger than any message of ours.
    #[error("message of {size} bytes is larger than the limit of {limit}")]
    TooLarge {
        /// The size in bytes.
        size: usize,
        /// The limit.
        limit: usize,
    },
}

/// The common beginning of all messages.
#[derive(Deserialize, Serialize)]
struct Header<'a> {
    #[serde(borrow)]
    kind: std::borrow::Cow<'a, str>,
    version: u32,
}

#[derive(Serialize)]
struct Envelope<'a, Body> {
    #[serde(flatten)]
    header: Header<'static>,
    #[serde(flatten)]
    body: &'a Body,
}

/// The body of several reports.
#[derive(Deserialize, Serialize)]
struct ReportBatch<Reports> {
    reports: Reports,
}

/// Encodes a message; [`WireError::TooLarge`] for a task that must be sent by [`TaskDatums::Manifest`].
///
/// [`TaskDatums::Manifest`]: super::TaskDatums::Manifest
pub fn encode(message: &Message) -> Result<Bytes, WireError> {
    let bytes = match message {
        Message::Task(task) => encode_envelope(TASK, task),
        Message::Reports(reports) => match reports.as_slice() {
            [report] => encode_envelope(REPORT, report),
            reports => encode_envelope(REPORTS, &ReportBatch { reports }),
        },
        Message::Control(control) => encode_envelope(CONTROL, control),
        Message::LeaderToken(token) => encode_envelope(LEADER_TOKEN, token),
    }?;
    within_limit(&bytes)?;
    Ok(Bytes::from(bytes))
}

fn encode_envelope(kind: &'static str, body: &impl Serialize) -> Result<Vec<u8>, WireError> {
    let header = Header {
        kind: kind.into(),
        version: VERSION,
    };
    serde_json::to_vec(&Envelope { header, body })
        .map_err(|source| WireError::Malformed { size: 0, source })
}

/// Decodes a message from the network: untrusted.
pub fn decode(body: &[u8]) -> Result<Message, WireError> {
    within_limit(body)?;
    let header: Header<'_> = parse(body)?;
    match (&*header.kind, header.version) {
        (TASK, 1) => parse(body).map(Message::Task),
        (REPORT, 1) => parse(body).map(|report| Message::Reports(vec![report])),
        (REPORTS, 1) => parse(body).map(|ReportBatch { reports }| Message::Reports(reports)),
        (CONTROL, 1) => parse(body).map(Message::Control),
        (LEADER_TOKEN, 1) => parse(body).map(Message::LeaderToken),
        (kind, version) => Err(WireError::Unknown {
            kind: kind.to_owned(),
            version,
        }),
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, WireError> {
    serde_json::from_slice(body).map_err(|source| WireError::Malformed {
        size: body.len(),
        source,
    })
}

pub(super) fn within_limit(body: &[u8]) -> Result<(), WireError> {
    if body.len() > SIZE_LIMIT {
        return Err(WireError::TooLarge {
            size: body.len(),
            limit: SIZE_LIMIT,
        });
    }
    Ok(())
}
