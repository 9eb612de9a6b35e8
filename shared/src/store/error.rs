//! Errors of a store, by the possible reactions of the caller.

use super::StoreKey;

/// A failure underneath, kept for the chain of causes.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why an operation on the store did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The key does not exist.
    #[error("{key} does not exist")]
    Missing {
        /// Key of the operation.
        key: StoreKey,
    },
    /// The key exists already.
    #[error("{key} exists already")]
    Exists {
        /// Key of the operation.
        key: StoreKey,
    },
    /// The object was replaced after the listing.
    #[error("{key} changed since it was listed")]
    Changed {
        /// Key of the operation.
        key: StoreKey,
    },
    /// The store refuses: permissions, credentials, a read-only medium.
    #[error("{key}: access denied")]
    Denied {
        /// Key of the operation.
        key: StoreKey,
        /// The refusal.
        #[source]
        source: Cause,
    },
    /// No space is left.
    #[error("{key}: no space left in the store")]
    Full {
        /// Key of the operation.
        key: StoreKey,
        /// The refusal.
        #[source]
        source: Cause,
    },
    /// A name that cannot be stored or read safely.
    #[error("{name:?} cannot be a name in the store: {problem}")]
    Name {
        /// The name, lossily decoded if not UTF-8.
        name: String,
        /// Problem of the name.
        problem: &'static str,
    },
    /// An entry of an input folder that is not a file of the folder: a link that leaves the folder, a device …
    #[error("{path} cannot be read as an input: {problem}")]
    Irregular {
        /// Path in the store.
        path: String,
        /// Kind of entry, and advice.
        problem: &'static str,
    },
    /// A damaged record of Drover.
    #[error("{key} is damaged: {advice}")]
    Corrupt {
        /// The record.
        key: StoreKey,
        /// The way out.
        advice: &'static str,
        /// Kind of damage.
        #[source]
        source: Cause,
    },
    /// The location cannot be used as a store.
    #[error("{location} cannot be opened: {problem}")]
    Location {
        /// The place as given, without credentials.
        location: String,
        /// Problem and advice.
        problem: String,
    },
    /// Any other failure (network, disk); a retry may succeed.
    #[error("{key}: the store failed")]
    Unavailable {
        /// Key of the operation.
        key: StoreKey,
        /// The failure.
        #[source]
        source: Cause,
    },
}

impl StoreError {
    /// True for [`StoreError::Missing`].
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}
