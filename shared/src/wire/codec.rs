//! The envelope: kind, version, size limit.

use bytes::Bytes;

use super::{Report, Task};

/// A decoded message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Datums to do.
    Task(Task),
    /// News about a datum.
    Report(Report),
}

/// Why a message is not understood.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not JSON, or not of the shape of its kind.
    #[error("message of {size} bytes cannot be decoded")]
    Malformed {
        /// Its size.
        size: usize,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A kind or version of another Drover.
    #[error("message kind {kind:?} version {version} is unknown here; bring all Drover processes to one version")]
    Unknown {
        /// The kind it names.
        kind: String,
        /// The version it names.
        version: u32,
    },
    /// Larger than any message of ours.
    #[error("message of {size} bytes is larger than the limit of {limit}")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
}

/// The bytes of a message.
pub fn encode(message: &Message) -> Bytes {
    todo!("{message:?}")
}

/// The message in some bytes that came over the network: untrusted.
pub fn decode(body: &[u8]) -> Result<Message, WireError> {
    todo!("{body:?}")
}
