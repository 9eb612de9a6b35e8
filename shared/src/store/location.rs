//! Where a store is: a folder or the URL of a bucket.

use std::path::PathBuf;

use url::Url;

/// A folder, or the URL of a bucket (`s3://`, `gs://`, `az://`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Location {
    /// A folder of this machine, absolute.
    Folder(PathBuf),
    /// A bucket with an optional prefix.
    Bucket(Url),
}
