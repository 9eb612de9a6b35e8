//! Dead letters: malformed messages, saved for people with the reason.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::id::PipelineName;
use crate::ledger::Ledger;
use crate::ledger::records::{advice, to_json};
use crate::store::{StoreError, layout};

/// Longest saved part of a message.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// A malformed message.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DeadLetter {
    /// Time at which the message was found.
    pub found: Timestamp,
    /// Reason for the rejection.
    pub reason: String,
    /// Size of the whole message.
    pub size_bytes: usize,
    /// Beginning of the message, lossily decoded.
    pub text: String,
}

impl DeadLetter {
    /// A message found now.
    pub fn new(body: &[u8], reason: &str) -> Self {
        let stored = &body[..body.len().min(MAX_TEXT_BYTES)];
        Self {
            found: Timestamp::now(),
            reason: reason.to_owned(),
            size_bytes: body.len(),
            text: String::from_utf8_lossy(stored).into_owned(),
        }
    }
}

impl Ledger {
    /// Saves a malformed message.
    pub async fn save_dead_letter(
        &self,
        pipeline: &PipelineName,
        dead_letter: &DeadLetter,
    ) -> Result<(), StoreError> {
        let unique = Ulid::generate().to_string().to_ascii_lowercase();
        let key = layout::dead_letter(pipeline, &unique);
        self.store.put(&key, to_json(&key, dead_letter)?).await
    }

    /// The dead letters of a pipeline, newest first, at most `most` of them, after their total number.
    pub async fn dead_letters(
        &self,
        pipeline: &PipelineName,
        most: usize,
    ) -> Result<(usize, Vec<DeadLetter>), StoreError> {
        let folder = layout::dead_letters(pipeline);
        let names = self.store.names(&folder).await?;
        let mut dead_letter = Vec::new();
        for name in names.iter().rev().take(most) {
            dead_letter.push(self.read(&folder.join(name)?, advice::DEAD_LETTER).await?);
        }
        Ok((names.len(), dead_letter))
    }
}
