//! What can go wrong with a store, sorted by what the caller can do about it.

use super::StoreKey;

/// A failure underneath, kept for the chain of causes.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why an operation on the store did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing is stored there.
    #[error("{key} does not exist")]
    Missing {
        /// What was looked for.
        key: StoreKey,
    },
    /// Something is stored there already.
    #[error("{key} exists already")]
    Exists {
        /// What was to be created.
        key: StoreKey,
    },
    /// It is not what was listed: somebody replaced it since.
    #[error("{key} changed since it was listed")]
    Changed {
        /// What was to be read.
        key: StoreKey,
    },
    /// The store refuses: permissions, credentials, a read-only medium.
    #[error("{key}: access denied")]
    Denied {
        /// What was to be read or written.
        key: StoreKey,
        /// The refusal.
        #[source]
        source: Cause,
    },
    /// No space is left.
    #[error("{key}: no space left in the store")]
    Full {
        /// What was to be written.
        key: StoreKey,
        /// The refusal.
        #[source]
        source: Cause,
    },
    /// A name that cannot be stored or read safely.
    #[error("{name:?} cannot be a name in the store: {problem}")]
    Name {
        /// The name, lossily decoded if it is not UTF-8.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Something in an input folder that is not a file of that folder: a link that leaves it, a device …
    #[error("{path} cannot be read as an input: {problem}")]
    Irregular {
        /// Where it lies in the store.
        path: String,
        /// What it is, and the way out.
        problem: &'static str,
    },
    /// One of Drover's own records that does not say what it should.
    #[error("{key} is damaged: {advice}")]
    Corrupt {
        /// The record.
        key: StoreKey,
        /// The way out.
        advice: &'static str,
        /// What is wrong with it.
        #[source]
        source: Cause,
    },
    /// The place is not one that Drover can use as a store.
    #[error("{location} cannot be opened: {problem}")]
    Location {
        /// The place as given, without credentials.
        location: String,
        /// What is wrong, and the way out.
        problem: String,
    },
    /// Anything else: network, disk; worth another try.
    #[error("{key}: the store failed")]
    Unavailable {
        /// What was to be read or written.
        key: StoreKey,
        /// The failure.
        #[source]
        source: Cause,
    },
}

impl StoreError {
    /// Whether it says that nothing is stored there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}
