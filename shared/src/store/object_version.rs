//! Versions of objects, for conditional puts.

/// The version of an object that was read. Two objects of one key with one version have the same bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObjectVersion {
    /// The `e_tag` in a bucket, a hash of the bytes in a folder; none if the bucket sends no `e_tag`.
    pub(super) e_tag: Option<String>,
    /// The version in a versioned bucket.
    pub(super) version: Option<String>,
}
