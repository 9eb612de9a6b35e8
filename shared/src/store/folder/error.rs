//! From the operating system's errors to outcomes.

use std::io;

use crate::store::{StoreError, StoreKey};

/// The error for a failed read of `key`: anything but a file counts as missing.
pub(super) fn reading(key: &StoreKey, error: io::Error) -> StoreError {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    match error.kind() {
        NotFound | NotADirectory | IsADirectory => StoreError::Missing { key: key.clone() },
        _ => any(key, error),
    }
}

/// The outcome of a failed write of `key`.
pub(super) fn writing(key: &StoreKey, error: io::Error) -> StoreError {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, IsADirectory, NotADirectory};
    match error.kind() {
        AlreadyExists => StoreError::Exists { key: key.clone() },
        NotADirectory | IsADirectory | DirectoryNotEmpty => StoreError::Name {
            name: key.to_string(),
            problem: "in a folder, a file and a directory cannot have the same name",
        },
        _ => any(key, error),
    }
}

fn any(key: &StoreKey, error: io::Error) -> StoreError {
    use io::ErrorKind::{
        FileTooLarge, InvalidFilename, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem,
        StorageFull,
    };
    let key = key.clone();
    match error.kind() {
        PermissionDenied | ReadOnlyFilesystem => StoreError::Denied {
            key,
            source: error.into(),
        },
        StorageFull | QuotaExceeded | FileTooLarge => StoreError::Full {
            key,
            source: error.into(),
        },
        InvalidFilename => StoreError::Name {
            name: key.to_string(),
            problem: "it is too long for this file system (255 bytes a segment), or has characters that it cannot store",
        },
        _ => StoreError::Unavailable {
            key,
            source: error.into(),
        },
    }
}
