//! Entries of listings.

/// A file in the store as listed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Path below the walked prefix, beginning with `/`; below the store for a single look-up.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Changes with every replacement of or write to the object: inode, mtime, size and ctime for files, `e_tag` or
    /// modification time and size for buckets. Cheap; does not compare content.
    pub version: String,
}
