//! The key of a job, which authenticates the job's messages.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::random::random_bytes;

/// Length of a key, in bytes.
const BYTES: usize = 32;

/// The key of a job. The key lies in the store, so a process that reads the records of the job can authenticate messages
/// about the job, and a process that merely reaches the broker cannot.
#[derive(Clone, Copy, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobKey([u8; BYTES]);

impl JobKey {
    /// A new key from the random numbers of the kernel.
    pub fn generate() -> io::Result<Self> {
        random_bytes().map(Self)
    }

    /// A hasher for an authentication code: BLAKE3 in its keyed mode.
    pub(crate) fn hasher(&self) -> blake3::Hasher {
        blake3::Hasher::new_keyed(&self.0)
    }
}

impl fmt::Debug for JobKey {
    /// Without the secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JobKey(…)")
    }
}

/// Text that is no key.
#[derive(Debug, thiserror::Error)]
#[error("a job's key has 64 hexadecimal digits")]
pub struct InvalidJobKey;

impl TryFrom<String> for JobKey {
    type Error = InvalidJobKey;

    fn try_from(text: String) -> Result<Self, InvalidJobKey> {
        let digits = blake3::Hash::from_hex(&text).map_err(|_| InvalidJobKey)?;
        Ok(Self(*digits.as_bytes()))
    }
}

impl From<JobKey> for String {
    fn from(JobKey(key): JobKey) -> Self {
        blake3::Hash::from_bytes(key).to_hex().to_string()
    }
}
