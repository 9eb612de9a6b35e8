//! From `object_store`'s errors to outcomes.

use object_store::Error;

use crate::store::{StoreError, StoreKey};

/// The outcome of a failed operation on `key`.
pub(super) fn failed(key: &StoreKey, error: Error) -> StoreError {
    let key = key.clone();
    match error {
        Error::NotFound { .. } => StoreError::Missing { key },
        Error::AlreadyExists { .. } | Error::Precondition { .. } => StoreError::Exists { key },
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => StoreError::Denied {
            key,
            source: error.into(),
        },
        Error::InvalidPath { source } => unsafe_name(&source),
        _ => StoreError::Unavailable {
            key,
            source: error.into(),
        },
    }
}

/// A key of somebody else's that could be written outside of a datum's directory.
fn unsafe_name(error: &object_store::path::Error) -> StoreError {
    use object_store::path::Error as E;
    let (name, problem) = match error {
        E::EmptySegment { path } => (path.clone(), "it has an empty segment (`//`)"),
        E::BadSegment { path, .. } => (
            path.clone(),
            "it has a segment `.` or `..`, or control characters",
        ),
        E::NonUnicode { path, .. } => (path.clone(), "it is not UTF-8"),
        other => (other.to_string(), "it cannot be read safely"),
    };
    StoreError::Name { name, problem }
}
