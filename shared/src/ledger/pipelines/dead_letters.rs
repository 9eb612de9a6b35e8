//! DeadLetter messages: what nobody understood, stored for people with the reason.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::id::PipelineName;
use crate::ledger::Ledger;
use crate::ledger::records::{advice, to_json};
use crate::store::{StoreError, layout};

/// The most of a message that is stored.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// A message that nobody understood.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DeadLetter {
    /// When it was found.
    pub found: Timestamp,
    /// Why nobody took it.
    pub reason: String,
    /// Its size.
    pub size_bytes: usize,
    /// Its beginning, lossily decoded.
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
    /// Keeps a message that nobody understood.
    pub async fn save_dead_letter(
        &self,
        pipeline: &PipelineName,
        dead_letter: &DeadLetter,
    ) -> Result<(), StoreError> {
        let unique = Ulid::generate().to_string().to_ascii_lowercase();
        let key = layout::dead_letter(pipeline, &unique);
        self.store.put(&key, to_json(&key, dead_letter)?).await
    }

    /// The messages of a pipeline that nobody understood, newest first, at most `most` of them; and how many there are.
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
