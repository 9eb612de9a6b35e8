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

/// Dead letters kept for a pipeline: a stranger at the broker can make any number.
const MAX_KEPT: usize = 1_000;

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
    /// Saves a malformed message. Of more than a thousand of a pipeline, the oldest are removed.
    pub async fn save_dead_letter(
        &self,
        pipeline: &PipelineName,
        dead_letter: &DeadLetter,
    ) -> Result<(), StoreError> {
        let unique = Ulid::generate().to_string().to_ascii_lowercase();
        let key = layout::dead_letter(pipeline, &unique);
        self.store.put(&key, to_json(&key, dead_letter)?).await?;
        let folder = layout::dead_letters(pipeline);
        let names = self.store.names(&folder).await?;
        for name in &names[..names.len().saturating_sub(MAX_KEPT)] {
            self.store.delete(&folder.join(name)?).await?;
        }
        Ok(())
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
            let key = folder.join(name)?;
            // A dead letter may be removed meanwhile, as the oldest of too many.
            let kept = self.read_optional(&key, advice::DEAD_LETTER).await?;
            dead_letter.extend(kept);
        }
        Ok((names.len(), dead_letter))
    }
}
