//! What a listing tells of a file.

/// A file in the store, as a listing shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The path below the walked prefix, beginning with `/`; below the store itself where nothing was walked.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Changes when the object is replaced or written to: inode, mtime and size for files, `e_tag` or
    /// modification time and size for buckets. Cheap; says nothing about equal content elsewhere.
    pub version: String,
}
